//! The metrics of the host's service, with the help texts that /metrics and docs/METRICS.md show.

use votestream_service::metric::{Counter, Metric};
use votestream_service::metrics::HTTP;

/// Every table that the host's service exports, beside those of all services.
pub const TABLES: &[&[Metric]] = &[METRICS, HTTP];

/// The outcomes of an order: it was carried out, the poll refused it, or it failed, for instance because a server is away.
const ORDER_OUTCOMES: &[&str] = &["done", "refused", "failed"];

/// The outcomes of an attempt to show who somebody is. `held_back`: the network has made too many wrong attempts.
const SIGN_IN_OUTCOMES: &[&str] = &["signed_in", "wrong", "held_back"];

votestream_service::metrics! {
    /// The metrics that only the host's service has.
    pub static METRICS;

    /// Orders of organisers to change a poll, by outcome.
    pub(crate) static ORDERS: Counter<1> =
        ("votestream_host_orders_total", "orders", &[("outcome", ORDER_OUTCOMES)]);

    /// Attempts to sign in, to confirm a session or to use the API that were successful, or showed no token or link that is
    /// valid. Successful requests of the API are not counted.
    pub(crate) static SIGN_INS: Counter<1> =
        ("votestream_host_sign_ins_total", "attempts", &[("outcome", SIGN_IN_OUTCOMES)]);
}
