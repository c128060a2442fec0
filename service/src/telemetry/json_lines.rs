//! Writes log lines as JSON that name the program which wrote them, for collectors that know only the container.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Json, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Lines of JSON, each an object that begins with the fields `service` and `version`.
pub(super) struct JsonLines {
    json: Format<Json>,
    /// The beginning of each line, with the opening brace.
    head: String,
}

impl JsonLines {
    /// Creates the format of this service and version, whose names need no escapes.
    pub(super) fn new(service: &str, version: &str) -> Self {
        let json = tracing_subscriber::fmt::format().json().flatten_event(true);
        Self { json, head: format!(r#"{{"service":"{service}","version":"{version}","#) }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.json.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&self.head)?;
        writer.write_str(line.strip_prefix('{').unwrap_or(&line))
    }
}
