//! SIGHUP: the configuration and the certificate are read again. Whatever is wrong with them, the server goes on.

use std::error::Error;

use radslag_server::{ConfigError, InForce, Running, telemetry};

/// What can be taken up without a restart is: the certificate and which log lines are written. What is not valid changes nothing.
pub(crate) fn reread(in_force: &mut InForce, again: Result<InForce, ConfigError>, running: &Running) {
    let again = match again {
        Ok(again) => again,
        Err(error) => {
            let cause = cause(&error);
            tracing::error!(%error, cause, "the configuration was read again and is not valid; everything goes on as it was");
            return;
        }
    };
    if again.config.log != in_force.config.log && telemetry::change(&again.config.log) {
        in_force.config.log.clone_from(&again.config.log);
    }
    if let (Some(files), Some(_)) = (&again.config.tls, &in_force.config.tls) {
        match running.reload_certificate(files) {
            Ok(()) => {
                in_force.config.tls = Some(files.clone());
                tracing::info!(cert = %files.cert.display(), "the certificate was read again");
            }
            Err(error) => {
                let cause = cause(&error);
                tracing::error!(%error, cause, "the certificate was read again and cannot be served; the one before still is");
            }
        }
    }
    let waits = waiting_for_restart(in_force, &again);
    if waits.is_empty() {
        tracing::info!("the configuration was read again");
    } else {
        tracing::warn!(settings = waits.join(", "), "these settings have changed and wait for a restart");
    }
}

/// The settings that are other ones in the configuration than in this process.
fn waiting_for_restart(in_force: &InForce, again: &InForce) -> Vec<&'static str> {
    let taken_up = |key: &str| match key {
        "log" => in_force.config.log == again.config.log,
        "tls_cert" | "tls_key" => in_force.config.tls == again.config.tls,
        _ => false,
    };
    let both = in_force.settings.iter().zip(&again.settings);
    both.filter(|(was, is)| was.value != is.value && !taken_up(is.key)).map(|(_, is)| is.key).collect()
}

fn cause(error: &dyn Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}
