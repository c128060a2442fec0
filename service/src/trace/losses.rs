//! Counts the spans that are lost on their way to the collector, and says when a loss begins and when it is over.
//!
//! Invariant: each span is either exported or counted as lost. OpenTelemetry's own queue drops spans without a word when
//! it is full, so this module lets no more spans into it than it can hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

use crate::metrics;

/// The variable that bounds OpenTelemetry's queue, and its default, both as OpenTelemetry documents them.
const QUEUE_SIZE: (&str, usize) = ("OTEL_BSP_MAX_QUEUE_SIZE", 2_048);

/// What both ends of the queue know.
#[derive(Debug, Default)]
struct Queue {
    /// Spans that were let in and not handed to the exporter yet.
    waiting: AtomicUsize,
    /// Whether the newest spans were lost.
    is_losing: AtomicBool,
}

impl Queue {
    /// Counts lost spans, and says so if the ones before were not lost.
    fn lost(&self, spans: usize, reason: &'static str, why: &str) {
        metrics::SPANS_LOST.with([reason]).increment(spans as u64);
        if !self.is_losing.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "trace spans are lost, and this is not said again until the collector takes some \
                 (votestream_spans_lost_total counts them): {why}"
            );
        }
    }
}

/// Makes a processor that sends spans in batches to `exporter`.
pub(super) fn counted<E: SpanExporter + 'static>(exporter: E) -> Bounded {
    let queue = Arc::new(Queue::default());
    let size = std::env::var(QUEUE_SIZE.0).ok().and_then(|size| size.parse().ok());
    let exporter = Counting { exporter, queue: queue.clone() };
    let batches = BatchSpanProcessor::builder(exporter).build();
    Bounded { batches, queue, size: size.unwrap_or(QUEUE_SIZE.1) }
}

/// The queue's entrance.
#[derive(Debug)]
pub(super) struct Bounded {
    batches: BatchSpanProcessor,
    queue: Arc<Queue>,
    size: usize,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        // Nobody waits for spans that are not sampled.
        if !span.span_context.is_sampled() {
            return;
        }
        if self.queue.waiting.load(Ordering::Relaxed) >= self.size {
            return self.queue.lost(1, "queue-full", "more spans end than the collector takes");
        }
        self.queue.waiting.fetch_add(1, Ordering::Relaxed);
        self.batches.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

/// The queue's exit.
#[derive(Debug)]
struct Counting<E> {
    exporter: E,
    queue: Arc<Queue>,
}

impl<E: SpanExporter> SpanExporter for Counting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.queue.waiting.fetch_sub(spans, Ordering::Relaxed);
        let outcome = self.exporter.export(batch).await;
        match &outcome {
            Ok(()) if self.queue.is_losing.swap(false, Ordering::Relaxed) => {
                tracing::info!("the collector takes trace spans again");
            }
            Ok(()) => {}
            Err(error) => self.queue.lost(spans, "not-taken", &error.to_string()),
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
