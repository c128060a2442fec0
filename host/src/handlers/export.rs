//! The results of a poll as a file.

use votestream_schema::organiser::Organiser;
use votestream_service::http;
use votestream_service::language::Message;
use votestream_service::problem::Problem;
use warp::http::{HeaderValue, StatusCode, header};
use warp::reply::Response;

use super::visits::reader;
use super::{AppState, Request, api, problem_of};
use crate::pages::problem_page;

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    Json,
}

impl Format {
    /// The format of the file with this name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        match name {
            "results.csv" => Some(Self::Csv),
            "results.json" => Some(Self::Json),
            _ => None,
        }
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        })
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// Answers `GET /polls/{slug}/results.csv` and `results.json`.
pub(crate) async fn page(
    state: &AppState,
    slug: &str,
    format: Format,
    request: Request,
) -> Response {
    let frame = state.frame(&request);
    let visitor = match reader(state, &request).await {
        Ok(visitor) => visitor,
        Err(reply) => return *reply,
    };
    let file = file(state, &visitor.organiser, slug, format).await;
    file.unwrap_or_else(|problem| problem_page(&frame, &problem, Some("/")))
}

/// Answers `GET /api/polls/{slug}/results.csv` and `results.json`.
pub(crate) async fn send(
    state: &AppState,
    slug: &str,
    format: Format,
    request: Request,
) -> Response {
    let read = async {
        let organiser = state.access.bearer(&request.head).await?;
        file(state, &organiser, slug, format).await
    };
    read.await.unwrap_or_else(api::refuse)
}

async fn file(
    state: &AppState,
    organiser: &Organiser,
    slug: &str,
    format: Format,
) -> Result<Response, Problem> {
    let slug = api::parse(slug)?;
    let results = state.desk.results(organiser, &slug).await;
    let results = results.map_err(|error| problem_of(&error))?;
    let mut bytes = Vec::new();
    let written = match format {
        Format::Csv => results.write_csv(&mut bytes).map_err(|error| error.to_string()),
        Format::Json => results.write_json(&mut bytes).map_err(|error| error.to_string()),
    };
    written.map_err(|error| {
        tracing::error!("results could not be written and are answered with 503: {error}");
        Problem::unavailable(Message::new("host-detail-failed"))
    })?;
    let mut response = http::json(StatusCode::OK, bytes);
    let name = format!("attachment; filename=\"{slug}.{}\"", format.extension());
    let name = HeaderValue::try_from(name).expect("a slug is ASCII");
    response.headers_mut().insert(header::CONTENT_TYPE, format.media_type());
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}
