//! Counts and times requests by route.

use std::cell::RefCell;
use std::convert::Infallible;
use std::pin::Pin;
use std::time::Instant;

use warp::Filter;
use warp::http::{Method, StatusCode};
use warp::reply::Response;

use crate::metric::{CounterHandle, HistogramHandle};
use crate::metrics;

/// Measures one request, from the moment when its route was chosen to its reply.
#[derive(Debug)]
pub struct RequestTimer {
    route: &'static str,
    method: Method,
    since: Instant,
}

/// Returns the filter that starts a [`RequestTimer`]. `route` names the route in the metrics.
pub fn timed(
    route: &'static str,
) -> impl Filter<Extract = (RequestTimer,), Error = Infallible> + Clone {
    warp::method().map(move |method| RequestTimer { route, method, since: Instant::now() })
}

impl RequestTimer {
    /// Runs the handler and measures until its reply. The future is boxed, because warp's chain of
    /// routes is moved about with room for the largest handler.
    pub fn measure(
        self,
        handler: impl Future<Output = Response> + Send + 'static,
    ) -> Pin<Box<dyn Future<Output = Response> + Send>> {
        Box::pin(async move { self.stop(handler.await) })
    }

    /// Records the request, and passes its reply through.
    pub fn stop(self, response: Response) -> Response {
        measure(self.route, &self.method, response.status(), self.since);
        response
    }
}

/// Counts and times one request. `route` must be one of few fixed names, never a client's text.
pub fn measure(route: &'static str, method: &Method, status: StatusCode, since: Instant) {
    let duration = since.elapsed();
    let name = (route, method_name(method), status.as_u16());
    SERIES.with_borrow_mut(|known| {
        let at = known.iter().position(|series| series.name == name);
        let at = at.unwrap_or_else(|| {
            known.push(Series::register(name));
            known.len() - 1
        });
        known[at].requests.increment(1);
        known[at].duration.record(duration);
    });
}

thread_local! {
    /// Looking up a series by its labels costs more than everything else here. There are few series, so
    /// each thread keeps its own handles and searches them.
    static SERIES: RefCell<Vec<Series>> = const { RefCell::new(Vec::new()) };
}

/// The metric handles for one route, method and status code.
struct Series {
    name: (&'static str, &'static str, u16),
    requests: CounterHandle,
    duration: HistogramHandle,
}

impl Series {
    fn register(name: (&'static str, &'static str, u16)) -> Self {
        let (route, method, status) = name;
        let labels = [route.to_owned(), method.to_owned(), status.to_string()];
        let requests = metrics::HTTP_REQUESTS.with(labels);
        let duration = metrics::HTTP_REQUEST_DURATION_SECONDS.with([route]);
        Self { name, requests, duration }
    }
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        _ => "other",
    }
}
