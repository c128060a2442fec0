//! Traces: a ballot's way from request to commit, for a collector that speaks OTLP.
//!
//! On when `OTEL_EXPORTER_OTLP_ENDPOINT` is set; the other `OTEL_` variables (sampler, headers,
//! service name, batching) mean what OpenTelemetry says. Otherwise nothing is started, and a
//! [`Span`] is an empty hull that was made by one look at a flag.
//!
//! Invariant: a span tells of polls and entries, never of voters or choices.

mod export;

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use export::Client;

/// Either of these switches traces on.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// How long the last spans may take at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
/// The header, and its length in version 00 (W3C Trace Context, section 3.2).
const TRACEPARENT: &str = "traceparent";
const TRACEPARENT_BYTES: usize = 55;

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// What sends spans away; to be flushed at the end.
#[derive(Debug)]
pub struct Traces(Option<SdkTracerProvider>);

/// Starts sending spans of this service, if a collector is configured.
///
/// # Errors
/// When its address is none.
pub fn start(service: &'static str) -> anyhow::Result<Traces> {
    let configured = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !ENDPOINTS.iter().any(configured) {
        return Ok(Traces(None));
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client::new()?)
        .build()
        .context("OTEL_EXPORTER_OTLP_ENDPOINT")?;
    let mut resource = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(format!("votestream-{service}"));
    }
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.with_attribute(version).build())
        .build();
    if TRACER.set(provider.tracer("votestream")).is_err() {
        anyhow::bail!("traces were started twice");
    }
    tracing::info!("traces are sent to the collector that OTEL_EXPORTER_OTLP_ENDPOINT names");
    Ok(Traces(Some(provider)))
}

impl Traces {
    /// Sends what is left.
    pub async fn flush(self) {
        let Some(provider) = self.0 else { return };
        // It blocks its thread until the exporter, which needs the runtime, is done.
        let flushing =
            tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_WITHIN));
        if let Ok(Err(error)) = flushing.await {
            tracing::debug!(%error, "the last spans were not sent");
        }
    }
}

/// Whether spans are recorded.
pub fn is_on() -> bool {
    TRACER.get().is_some()
}

/// What a `traceparent` names, if it is one and asks to be recorded.
pub fn sampled_context(traceparent: &str) -> Option<SpanContext> {
    let context = TraceContextPropagator::new().extract(&Carrier(traceparent.to_owned()));
    let context = context.span().span_context().clone();
    (context.is_valid() && context.is_sampled()).then_some(context)
}

/// The `traceparent` of a request, if it may be one.
pub fn traceparent(headers: &warp::http::HeaderMap) -> Option<&str> {
    let value = headers.get(TRACEPARENT)?.to_str().ok()?;
    (value.len() == TRACEPARENT_BYTES).then_some(value)
}

/// One piece of work; ends when it is dropped. Empty when traces are off.
#[derive(Debug, Default)]
pub struct Span(Option<Box<opentelemetry_sdk::trace::Span>>);

impl Span {
    /// Work on a request that came with this `traceparent`.
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

    /// Work on what another service left, within its trace; `beside` is the batch that it shares.
    pub fn of_delivery(name: &'static str, parent: SpanContext, beside: &Self) -> Self {
        let links = beside.context().map(Link::with_context).into_iter().collect();
        let parent = Context::new().with_remote_span_context(parent);
        Self::start(name, SpanKind::Consumer, &parent, links)
    }

    /// Work on a batch, with a trace of its own that links to those of what is in it.
    pub fn of_batch(name: &'static str, members: &[SpanContext]) -> Self {
        let links = members.iter().cloned().map(Link::with_context).collect();
        Self::start(name, SpanKind::Internal, &Context::new(), links)
    }

    fn start(name: &'static str, kind: SpanKind, parent: &Context, links: Vec<Link>) -> Self {
        let Some(tracer) = TRACER.get() else { return Self(None) };
        let builder = tracer.span_builder(name).with_kind(kind).with_links(links);
        Self(Some(Box::new(tracer.build_with_context(builder, parent))))
    }

    /// How this span is told to the next service; `None` when it is not recorded.
    pub fn traceparent(&self) -> Option<String> {
        let context = self.context().filter(SpanContext::is_sampled)?;
        let mut carrier = Carrier(String::new());
        let context = Context::new().with_remote_span_context(context);
        TraceContextPropagator::new().inject_context(&context, &mut carrier);
        Some(carrier.0)
    }

    /// Adds a fact.
    pub fn set(&mut self, name: &'static str, value: &impl ToString) {
        if let Some(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(name, value.to_string()));
        }
    }

    /// Marks the work as failed.
    pub fn fail(&mut self, why: &'static str) {
        if let Some(span) = &mut self.0 {
            span.set_status(Status::error(why));
        }
    }

    fn context(&self) -> Option<SpanContext> {
        self.0.as_ref().map(|span| span.span_context().clone())
    }
}

/// A `traceparent` as OpenTelemetry wants to be handed it.
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
    fn without_a_collector_spans_are_hulls() {
        assert!(!is_on());
        let mut span = Span::of_request("test", None);
        span.set("name", &1);
        assert!(span.0.is_none() && span.traceparent().is_none());
    }
}
