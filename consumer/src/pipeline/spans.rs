//! Trace spans and debug logs for ballots that are counted; they name poll and entry, never voter or choice.
//!
//! A batch has a span of its own, linked to the traced ballots in it; each traced ballot has a span within its own
//! trace. Absent on purpose: spans for ballots whose producer did not sample them.

use votestream_schema::codec;
use votestream_service::trace::{self, Span};

use crate::pipeline::batch::Vote;
use crate::streams::entry::Entry;

/// The most ballots of one batch that get a span, to bound what is sent to the collector.
const TRACED_MAX: usize = 128;

/// The open spans of one batch. Dropping it without [`BatchSpans::end`] marks them all as failed.
#[derive(Debug)]
pub struct BatchSpans {
    spans: Vec<Span>,
    acknowledged: bool,
}

impl BatchSpans {
    /// Opens the spans of a batch that was just read; returns `None` when tracing is off or no ballot is traced.
    pub fn begin(entries: &[Entry]) -> Option<Self> {
        if !trace::is_on() {
            return None;
        }
        let traced = entries.iter().filter_map(|entry| Some((entry, context(entry)?)));
        let traced: Vec<_> = traced.take(TRACED_MAX).collect();
        if traced.is_empty() {
            return None;
        }
        let members: Vec<_> = traced.iter().map(|(_, context)| context.clone()).collect();
        let mut batch = Span::of_batch("count batch", &members);
        batch.set("votestream.entries", &entries.len());
        let ballots = traced.into_iter().map(|(entry, context)| {
            let mut span = Span::of_delivery("count ballot", context, &batch);
            span.set("messaging.system", &"redis");
            span.set("votestream.entry", &entry.id);
            span.set("votestream.partition", &entry.partition);
            let ballot = entry.field(codec::FIELD_BALLOT).map(codec::decode);
            if let Some(Ok(ballot)) = ballot {
                span.set("votestream.poll", &ballot.poll);
            }
            span
        });
        let mut spans: Vec<Span> = ballots.collect();
        spans.push(batch);
        Some(Self { spans, acknowledged: false })
    }

    /// Ends the spans as successful: all entries of the batch are committed and acknowledged.
    pub fn end(mut self) {
        self.acknowledged = true;
    }
}

impl Drop for BatchSpans {
    fn drop(&mut self) {
        if !self.acknowledged {
            self.spans.iter_mut().for_each(|span| span.fail("not finished; read again later"));
        }
    }
}

/// Logs each counted ballot on a line of its own, at debug level only, since there may be 100,000 a second.
pub fn log_committed(votes: &[Vote], entries: &[Entry]) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        for vote in votes {
            let trace_id = trace_id(&entries[vote.source]);
            tracing::debug!(poll = %vote.ballot.poll, entry = %vote.entry, trace_id, "ballot committed");
        }
    }
}

/// Returns the id of the trace to which a ballot belongs, for log lines.
pub fn trace_id(entry: &Entry) -> Option<String> {
    Some(context(entry)?.trace_id().to_string())
}

fn context(entry: &Entry) -> Option<trace::SpanContext> {
    trace::sampled_context(str::from_utf8(entry.field(codec::FIELD_TRACE)?).ok()?)
}
