//! Starting and stopping on a real store; what else a server offers.

use radslag_proto::status::{Class, class_of};
use radslag_server::{Config, StartError, check, start};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::harness::{Client, Town, config, in_memory};

fn on_disk(dir: &tempfile::TempDir) -> Config {
    Config { data: dir.path().join("data"), cache_mib: 8, ..config() }
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(on_disk(&dir)).await.unwrap();
    let mut client = Client::of(&running).await;
    let mut town = Town::begin(&mut client).await;
    let event = town.device.retitle(town.activity, "Lunchmöte");
    let bundle = town.device.sign(&[event]);
    client.push(bundle.clone()).await;
    let before = client.get(town.program, None).await;
    let key = client.log_key().await;
    running.shutdown().await;

    let checked = check(&on_disk(&dir).data).unwrap();
    checked.key.unwrap();
    assert_eq!(checked.programmes.len(), 1);
    assert_eq!(checked.programmes[0].outcome.as_ref().unwrap().0.get(), 7);

    let running = start(on_disk(&dir)).await.unwrap();
    let mut client = Client::of(&running).await;
    assert_eq!(client.log_key().await, key);
    assert_eq!(client.get(town.program, None).await, before);
    let retry = client.push(bundle).await;
    assert_eq!(retry.head.unwrap().position, 7);
    running.shutdown().await;
}

#[tokio::test]
async fn the_second_server_on_a_store_hears_that_it_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(on_disk(&dir)).await.unwrap();
    let Err(error) = start(on_disk(&dir)).await else { panic!("two servers on one store") };
    assert!(error.to_string().ends_with("is already in use by another radslag or radslagd"), "{error}");
    assert_eq!(error.exit_code(), 1);
    assert!(matches!(check(&on_disk(&dir).data), Err(StartError::Store(_))));
    running.shutdown().await;
    start(on_disk(&dir)).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn a_taken_port_is_told_in_clear_words() {
    let (running, _client) = in_memory().await;
    let dir = tempfile::tempdir().unwrap();
    let Err(error) = start(Config { listen: running.addr(), ..on_disk(&dir) }).await else {
        panic!("two on a port")
    };
    assert_eq!(error.to_string(), format!("another program listens on {}", running.addr()));
    assert!(error.hint().unwrap().contains("--listen"));
    // What was opened for nothing is closed again.
    start(on_disk(&dir)).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn a_lost_key_is_not_replaced_behind_everybodys_back() {
    let dir = tempfile::tempdir().unwrap();
    let running = start(on_disk(&dir)).await.unwrap();
    let mut client = Client::of(&running).await;
    Town::begin(&mut client).await;
    running.shutdown().await;
    std::fs::remove_file(on_disk(&dir).data.join("log.key")).unwrap();
    let Err(error) = start(on_disk(&dir)).await else { panic!("another key signs the log") };
    assert!(matches!(error, StartError::OtherLogKey { .. }), "{error}");
}

#[tokio::test]
async fn nothing_is_checked_where_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(check(dir.path()), Err(StartError::NoStore { .. })));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn health_and_reflection_name_every_service() {
    let (running, client) = in_memory().await;
    let services = ["ProgramService", "SyncService", "AuditService", "AdminService"];
    let names: Vec<String> = services.iter().map(|name| format!("radslag.api.v1.{name}")).collect();
    let mut health = HealthClient::new(client.channel.clone());
    for service in names.iter().map(String::as_str).chain([""]) {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(client.channel.clone());
    let mut answers = reflection.server_reflection_info(tokio_stream::once(ask)).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    for name in names {
        assert!(list.service.iter().any(|service| service.name == name), "{name}");
    }
    drop(answers);
    running.shutdown().await;
}

#[tokio::test]
async fn a_connection_that_outlives_the_server_hears_that_it_is_gone() {
    let (running, mut client) = in_memory().await;
    let town = Town::begin(&mut client).await;
    running.shutdown().await;
    let request =
        radslag_proto::api::v1::HelloRequest { program_id: town.program.to_string(), verified_position: 0 };
    let status = client.sync.hello(request).await.unwrap_err();
    assert_eq!(class_of(&status), Class::Away, "{status}");
}
