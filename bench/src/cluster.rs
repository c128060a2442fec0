//! Measures the cost of more masters: ballots acknowledged on Redis Clusters of one, two and three masters.
//!
//! On two cores more masters cannot be faster, so the processor time per ballot is compared. As long as it does not grow
//! with the number of masters, masters on machines of their own add to the throughput.

use crate::args::Args;
use crate::lab::{Lab, POLL};
use crate::report::Report;
use crate::wrk;

const MASTERS_MAX: usize = 3;
/// Enough partitions for each of three masters to have some.
const PARTITIONS: u16 = 12;

/// The rate and the cost of one measurement.
#[derive(Clone, Copy)]
struct Cost {
    /// Ballots acknowledged per second.
    per_s: f64,
    /// Processor time of the producer per ballot in microseconds.
    producer_us: f64,
    /// Processor time of all Redis nodes per ballot in microseconds.
    redis_us: f64,
}

/// Measures rates and processor times, and compares those of three masters with those of one.
///
/// # Errors
/// Returns an error if a server or the load generator does not start, or a ballot is refused.
pub async fn measure(args: &Args, report: &mut Report) -> anyhow::Result<()> {
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); MASTERS_MAX];
    for round in 1..=args.rounds {
        eprintln!("cluster: round {round} of {}", args.rounds);
        for masters in 1..=MASTERS_MAX {
            let cost = acknowledge(args, masters).await?;
            let Cost { per_s, producer_us, redis_us } = cost;
            eprintln!(
                "  masters {masters}: {per_s:.0}/s; a ballot takes the producer {producer_us:.1} µs, \
                 redis {redis_us:.1} µs"
            );
            costs[masters - 1].push(cost);
        }
    }
    for (masters, costs) in (1..).zip(&costs) {
        let figures = |of: fn(&Cost) -> f64| costs.iter().map(of).collect::<Vec<_>>();
        let on = format!("Redis Cluster, masters {masters}");
        report.baseline(&format!("{on}: ballots acknowledged/s"), &figures(|cost| cost.per_s));
        report.baseline(&format!("{on}: producer, µs a ballot"), &figures(|cost| cost.producer_us));
        report.baseline(&format!("{on}: all nodes, µs a ballot"), &figures(|cost| cost.redis_us));
    }
    let total = |cost: &Cost| cost.producer_us + cost.redis_us;
    let (one, three) = (&costs[0], &costs[MASTERS_MAX - 1]);
    let ratios: Vec<f64> =
        one.iter().zip(three).map(|(one, three)| total(three) / total(one)).collect();
    let figures: Vec<f64> = three.iter().map(total).collect();
    report.ratio_at_most(
        "processor time a ballot, producer and Redis, three masters ÷ one",
        1.5,
        &ratios,
        &figures,
    );
    Ok(())
}

async fn acknowledge(args: &Args, masters: usize) -> anyhow::Result<Cost> {
    let mut lab = Lab::open_cluster(masters, PARTITIONS).await?;
    let port = lab.start("producer").await?.port;
    let path = format!("/api/polls/{POLL}/ballots");
    let before = (lab.last()?.cpu_s().await?, lab.redis_cpu_s()?);
    let per_s = wrk::post(port, &path, args.connections, args.seconds).await?;
    let after = (lab.last()?.cpu_s().await?, lab.redis_cpu_s()?);
    let ballots = per_s * args.seconds as f64;
    Ok(Cost {
        per_s,
        producer_us: (after.0 - before.0) * 1e6 / ballots,
        redis_us: (after.1 - before.1) * 1e6 / ballots,
    })
}
