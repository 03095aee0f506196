//! Spans for a collector: in a build that has it, and what one that has not says.

#[cfg(not(feature = "otlp"))]
#[test]
fn a_build_without_it_says_so() {
    let mut command = crate::process::radslagd();
    let (code, _, err) = crate::process::run(command.args(["config", "--otlp", "http://127.0.0.1:4317"]));
    assert_eq!(code, Some(2), "{err}");
    assert!(
        err.contains("otlp is \"http://127.0.0.1:4317\" by flag: this radslagd was built without it"),
        "{err}"
    );
}

#[cfg(all(unix, feature = "otlp"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_is_a_span_at_the_collector() {
    use std::io::{BufRead as _, BufReader};
    use std::process::Stdio;

    use radslag_proto::api::v1 as api;
    use tonic::codegen::http::Response;
    use tonic::transport::Endpoint;

    use crate::harness::Client;
    use crate::process::radslagd;
    use crate::raw::soon;

    // A collector: whatever is exported goes to the test, and is taken.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (send, mut exported) = tokio::sync::mpsc::channel(16);
    let collecting = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut calls = h2::server::handshake(socket).await.unwrap();
        while let Some(Ok((request, mut answer))) = calls.accept().await {
            let (path, send) = (request.uri().path().to_owned(), send.clone());
            tokio::spawn(async move {
                let (mut body, mut bytes) = (request.into_body(), Vec::new());
                while let Some(Ok(data)) = body.data().await {
                    body.flow_control().release_capacity(data.len()).unwrap();
                    bytes.extend(data);
                }
                let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
                let mut stream = answer.send_response(head, false).unwrap();
                stream.send_data(vec![0; 5].into(), false).unwrap();
                stream
                    .send_trailers(
                        [("grpc-status".parse().unwrap(), "0".parse().unwrap())].into_iter().collect(),
                    )
                    .unwrap();
                send.send((path, bytes)).await.unwrap();
            });
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut command = radslagd();
    command.args([
        "serve",
        "--log",
        "warn",
        "--listen",
        "127.0.0.1:0",
        "--otlp",
        &format!("http://{address}"),
    ]);
    command.arg("--data").arg(dir.path().join("data"));
    let mut server = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap().trim_end_matches(',');
    let mut client = Client::on(Endpoint::from_shared(url.to_owned()).unwrap().connect().await.unwrap());
    client.sync.hello(api::HelloRequest::default()).await.unwrap();
    drop(client);
    // Told to end, it hands over what it has.
    let told = std::process::Command::new("sh").args(["-c", &format!("kill -TERM {}", server.id())]).status();
    assert!(told.unwrap().success());
    let (path, bytes) = soon(exported.recv()).await.unwrap();
    assert_eq!(path, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    let said = String::from_utf8_lossy(&bytes);
    for words in ["radslagd", "service.version", "call", "/radslag.api.v1.SyncService/Hello"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let ended = tokio::task::spawn_blocking(move || server.wait().unwrap()).await.unwrap();
    assert_eq!(ended.code(), Some(0));
    collecting.abort();
}
