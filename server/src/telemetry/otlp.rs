//! Spans of our own crates for a collector that speaks OTLP over gRPC. In batches, in the background: who is called never waits for it, and
//! what the collector does not take in time is dropped.

use std::io::IsTerminal as _;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::{CHANGE, Traces, filter_of};

/// Log lines as ever, and spans to `collector`.
pub(super) fn start(filter: &str, collector: &str) -> Traces {
    let exporter = match SpanExporter::builder().with_tonic().with_endpoint(collector).build() {
        Ok(exporter) => exporter,
        Err(error) => {
            super::start(filter);
            tracing::error!(%error, "no spans are handed to the collector");
            return Traces::default();
        }
    };
    let version = opentelemetry::KeyValue::new("service.version", crate::VERSION);
    let resource = Resource::builder().with_service_name("radslagd").with_attribute(version).build();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let (lines, handle) = reload::Layer::new(filter_of(filter));
    let written = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_filter(lines);
    // Whatever is written to the log: a collector has its own ways to leave out.
    let handed = tracing_opentelemetry::layer().with_tracer(provider.tracer("radslagd"));
    let subscriber = tracing_subscriber::registry().with(written).with(handed.with_filter(filter_fn(ours)));
    if subscriber.try_init().is_err() {
        tracing::warn!("no spans are handed to the collector: log lines are written already");
        return Traces::default();
    }
    CHANGE.get_or_init(|| Box::new(move |filter| handle.reload(filter).is_ok()));
    Traces { provider: Some(provider) }
}

/// Not the transport's: the exporter's own calls would be spans of it again.
fn ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("radslag") && *metadata.level() <= Level::INFO
}
