//! Records traces, which follow a ballot from its request to its commit, for a collector that speaks OTLP.
//!
//! Traces are on when `OTEL_EXPORTER_OTLP_ENDPOINT` is set; the other `OTEL_` variables (sampler,
//! headers, service name, batching) have the meanings that OpenTelemetry documents. While traces are
//! off, nothing is started, and creating a [`Span`] costs one read of a flag.
//!
//! Invariant: a span names polls and entries, never voters or choices.

mod export;
mod losses;

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
pub use opentelemetry::trace::SpanContext;
use opentelemetry::trace::{
    Link, Span as _, SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::telemetry;
use export::Client;

/// Variables that switch traces on, one of them being enough.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// The attribute that tells the replicas of a service apart.
const INSTANCE: &str = "service.instance.id";
/// Longest time for sending the last spans when the process ends.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
/// The header that carries a trace from service to service (W3C Trace Context, section 3.2).
const TRACEPARENT: &str = "traceparent";
/// Length of the header's value in version 00.
const TRACEPARENT_BYTES: usize = 55;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// The exporter of spans, to be flushed when the process ends; empty while traces are off.
#[derive(Debug)]
pub struct Traces(Option<SdkTracerProvider>);

/// Starts sending this service's spans, if a collector is configured.
///
/// # Errors
/// Returns an error if the collector's address does not parse, or if traces were started before.
pub fn start(service: &'static str) -> anyhow::Result<Traces> {
    let configured = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !ENDPOINTS.iter().any(configured) {
        return Ok(Traces(None));
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new()?)
        .build()
        .context("OTEL_EXPORTER_OTLP_ENDPOINT is not the address of a collector")?;
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(format!("votestream-{service}"));
    }
    // An id that a deployment gives to its instances is better than a random one.
    let given = std::env::var("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    if !given.contains(INSTANCE) {
        let id = uuid::Uuid::new_v4().to_string();
        resource = resource.with_attribute(KeyValue::new(INSTANCE, id));
    }
    let version = KeyValue::new("service.version", telemetry::VERSION);
    let provider = SdkTracerProvider::builder()
        .with_span_processor(losses::counted(exporter))
        .with_resource(resource.with_attribute(version).build())
        .build();
    if TRACER.set(provider.tracer("votestream")).is_err() {
        anyhow::bail!("traces were started twice");
    }
    tracing::info!("traces are sent to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names");
    Ok(Traces(Some(provider)))
}

impl Traces {
    /// Sends the spans that were not sent yet, for at most two seconds.
    pub async fn flush(self) {
        let Some(provider) = self.0 else { return };
        // The call blocks its thread until the exporter is done, and the exporter needs the runtime.
        let flushing =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_WITHIN));
        if let Ok(Err(error)) = flushing.await {
            tracing::debug!("the last spans were not sent to the collector: {error}");
        }
    }
}

/// Returns whether traces are on in this process.
pub fn is_on() -> bool {
    TRACER.get().is_some()
}

/// Reads a `traceparent`; returns `None` if it is invalid or does not ask to be recorded.
pub fn sampled_context(traceparent: &str) -> Option<SpanContext> {
    let context = TraceContextPropagator::new().extract(&Carrier(traceparent.to_owned()));
    let context = context.span().span_context().clone();
    (context.is_valid() && context.is_sampled()).then_some(context)
}

/// Returns the `traceparent` header of a request if it has the right length.
pub fn traceparent(headers: &warp::http::HeaderMap) -> Option<&str> {
    let value = headers.get(TRACEPARENT)?.to_str().ok()?;
    (value.len() == TRACEPARENT_BYTES).then_some(value)
}

/// One piece of work in a trace; it ends when it is dropped. It is empty while traces are off.
#[derive(Debug, Default)]
pub struct Span(Option<Box<opentelemetry_sdk::trace::Span>>);

impl Span {
    /// Starts a span for a request that came with this `traceparent`.
    pub fn of_request(name: &'static str, traceparent: Option<&str>) -> Self {
        if !is_on() {
            return Self(None);
        }
        let parent = TraceContextPropagator::new().extract_with_context(
            &Context::new(),
            &Carrier(traceparent.unwrap_or_default().into()),
        );
        Self::start(name, SpanKind::Server, &parent, Vec::new())
    }

    /// Starts a span for an entry that another service wrote, within that service's trace. It links to
    /// `batch`, the span of the batch in which the entry is handled.
    pub fn of_delivery(name: &'static str, parent: SpanContext, batch: &Self) -> Self {
        let links = batch.context().map(Link::with_context).into_iter().collect();
        let parent = Context::new().with_remote_span_context(parent);
        Self::start(name, SpanKind::Consumer, &parent, links)
    }

    /// Starts a span for a batch, in a new trace that links to the traces of its entries.
    pub fn of_batch(name: &'static str, members: &[SpanContext]) -> Self {
        let links = members.iter().cloned().map(Link::with_context).collect();
        Self::start(name, SpanKind::Internal, &Context::new(), links)
    }

    /// Starts a span for work that began at this time already, in a new trace. It is for work of which only its end shows
    /// whether it is worth a span.
    pub fn of_past(name: &'static str, began: SystemTime) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let builder =
            tracer.span_builder(name).with_kind(SpanKind::Internal).with_start_time(began);
        Self(Some(Box::new(tracer.build_with_context(builder, &Context::new()))))
    }

    fn start(name: &'static str, kind: SpanKind, parent: &Context, links: Vec<Link>) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let builder = tracer.span_builder(name).with_kind(kind).with_links(links);
        Self(Some(Box::new(tracer.build_with_context(builder, parent))))
    }

    /// Returns the `traceparent` that carries this span to the next service; `None` if it is not recorded.
    pub fn traceparent(&self) -> Option<String> {
        let context = self.context().filter(SpanContext::is_sampled)?;
        let mut carrier = Carrier(String::new());
        let context = Context::new().with_remote_span_context(context);
        TraceContextPropagator::new().inject_context(&context, &mut carrier);
        Some(carrier.0)
    }

    /// Returns the id of the span's trace, for log lines; `None` if it is not recorded.
    pub fn trace_id(&self) -> Option<String> {
        let context = self.context().filter(SpanContext::is_sampled)?;
        Some(context.trace_id().to_string())
    }

    /// Adds an attribute to the span.
    pub fn set(&mut self, name: &'static str, value: &impl ToString) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(name, value.to_string()));
        }
    }

    /// Marks the work as failed, for this reason.
    pub fn fail(&mut self, why: &'static str) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(why));
        }
    }

    fn context(&self) -> Option<SpanContext> {
        self.0.as_ref().map(|span| span.span_context().clone())
    }
}

/// Adapts one `traceparent` to the interface through which OpenTelemetry reads and writes headers.
struct Carrier(String);

impl Extractor for Carrier {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0.as_str())
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

impl Injector for Carrier {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT {
            self.0 = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_context_that_asks_to_be_recorded_is_followed() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = sampled_context(parent).unwrap();
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        for other in [&parent.replace("-01", "-00"), &parent.replace('4', "g"), "", "00"] {
            assert!(sampled_context(other).is_none(), "{other}");
        }
    }

    #[test]
    fn without_a_collector_spans_are_empty() {
        assert!(!is_on());
        let mut span = Span::of_request("test", None);
        span.set("name", &1);
        assert!(span.0.is_none() && span.traceparent().is_none());
    }
}
