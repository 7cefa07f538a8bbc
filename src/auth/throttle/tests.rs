//! The throttle against a model that remembers everything and looks through all of it each time.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn source(number: u8) -> Source {
    Source::from(Client::from(IpAddr::from([192, 0, 2, number])))
}

fn hash(number: u8) -> Hash {
    [number; 32]
}

fn seconds_after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

/// What happens to a throttle.
#[derive(Clone, Debug)]
enum Step {
    Fail { source: u8, times: usize },
    Check { source: u8, credential: Option<u8> },
    Good { source: u8, credential: u8 },
    Forget { source: u8, credential: u8 },
    TimePasses(Duration),
    Expire,
}

/// More sources than there is room for.
const ROOM: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let (source, credential) = (0..6_u8, 0..3_u8);
    let milliseconds = prop_oneof![0..2_000_u64, 0..70_000_u64, Just(60_000), Just(59_999), Just(60_001)];
    let fail = (source.clone(), 1..13_usize).prop_map(|(source, times)| Step::Fail { source, times });
    let check = (source.clone(), proptest::option::of(credential.clone()))
        .prop_map(|(source, credential)| Step::Check { source, credential });
    let good = (source.clone(), credential.clone());
    let good = good.prop_map(|(source, credential)| Step::Good { source, credential });
    let forget = (source, credential).prop_map(|(source, credential)| Step::Forget { source, credential });
    let passes = milliseconds.prop_map(|ms| Step::TimePasses(Duration::from_millis(ms)));
    prop_oneof![4 => fail, 4 => check, 1 => good, 1 => forget, 3 => passes, 1 => Just(Step::Expire)]
}

/// Everything that ever happened, in lists.
#[derive(Default)]
struct Model {
    /// The failures of each source that has a place, by its latest one.
    sources: Vec<(u8, Vec<Instant>)>,
    /// Source, end and count of blocks that were not told to be over.
    blocks: Vec<(u8, Instant, u64)>,
    /// Blocks whose source lost its place.
    lost: Vec<(u8, u64)>,
    known: HashSet<(u8, u8)>,
    refused: u64,
}

impl Model {
    fn block(&mut self, source: u8, now: Instant) -> Option<&mut (u8, Instant, u64)> {
        self.blocks.iter_mut().find(|(whose, until, _)| *whose == source && now < *until)
    }

    fn refuse(&mut self, source: u8, now: Instant) -> Option<u32> {
        let block = self.block(source, now)?;
        block.2 += 1;
        let rest = (block.1 - now).as_nanos().div_ceil(1_000_000_000);
        self.refused += 1;
        Some(u32::try_from(rest).expect("a minute at most"))
    }

    fn check(&mut self, source: u8, credential: Option<u8>, now: Instant) -> Verdict {
        if self.block(source, now).is_none() {
            return Verdict::Open;
        }
        if credential.is_some_and(|credential| self.known.contains(&(source, credential))) {
            return Verdict::Known;
        }
        Verdict::Refused { retry_after: self.refuse(source, now).expect("a block") }
    }

    fn fail(&mut self, source: u8, now: Instant) -> Failed {
        if let Some(retry_after) = self.refuse(source, now) {
            return Failed::Refused { retry_after };
        }
        let mut failures = match self.sources.iter().position(|(whose, _)| *whose == source) {
            Some(at) => self.sources.remove(at).1,
            None => {
                if self.sources.len() == ROOM {
                    let (gone, _) = self.sources.remove(0);
                    let lost = self.blocks.extract_if(.., |block| block.0 == gone);
                    self.lost.extend(lost.map(|(whose, _, refused)| (whose, refused)));
                }
                Vec::new()
            }
        };
        failures.push(now);
        let counted = failures.iter().filter(|at| now - **at < WINDOW).count();
        self.sources.push((source, failures));
        if counted <= MOST_FAILURES {
            return Failed::Counted;
        }
        self.refused += 1;
        self.blocks.push((source, now + WINDOW, 1));
        Failed::Blocked { retry_after: 60, failures: counted }
    }

    fn expire(&mut self, now: Instant) -> Vec<(u8, u64)> {
        self.sources.retain(|(_, failures)| failures.iter().any(|at| now - *at < WINDOW));
        let over = self.blocks.extract_if(.., |block| block.1 <= now);
        let mut ended: Vec<_> = over.map(|(whose, _, refused)| (whose, refused)).collect();
        ended.append(&mut self.lost);
        ended.sort_unstable();
        ended
    }
}

fn play(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (throttle, mut model) = (Throttle::with_room(ROOM, 100), Model::default());
    let mut now = Instant::now();
    for step in steps {
        match step {
            Step::TimePasses(time) => now += time,
            Step::Fail { source: number, times } => {
                for _ in 0..times {
                    prop_assert_eq!(throttle.failed(source(number), now), model.fail(number, now));
                }
            }
            Step::Check { source: number, credential } => {
                let found = throttle.check(source(number), credential.map(hash).as_ref(), now);
                prop_assert_eq!(found, model.check(number, credential, now));
            }
            Step::Good { source: number, credential } => {
                throttle.good(source(number), &hash(credential));
                model.known.insert((number, credential));
            }
            Step::Forget { source: number, credential } => {
                throttle.forget(source(number), &hash(credential));
                model.known.remove(&(number, credential));
            }
            Step::Expire => {
                let told = model.expire(now);
                let told = told.into_iter().map(|(number, refused)| (source(number).to_string(), refused));
                let ended = throttle.expire(now).into_iter();
                let mut ended: Vec<_> = ended.map(|one| (one.source.to_string(), one.refused)).collect();
                ended.sort_unstable();
                prop_assert_eq!(ended, told.collect::<Vec<_>>());
            }
        }
        prop_assert_eq!(throttle.refused_total(), model.refused);
        prop_assert!(throttle.failures().by_source.len() <= ROOM);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_says_what_somebody_says_who_remembers_everything(steps in vec(step(), 1..60)) {
        play(steps)?;
    }
}

#[test]
fn the_eleventh_within_a_minute_blocks_for_a_minute_that_nothing_makes_longer() {
    let (throttle, start) = (Throttle::default(), Instant::now());
    for _ in 0..10 {
        assert_eq!(throttle.failed(source(1), start), Failed::Counted);
    }
    let blocked = Failed::Blocked { retry_after: 60, failures: 11 };
    assert_eq!(throttle.failed(source(1), seconds_after(start, 59)), blocked);
    assert_eq!(throttle.failed(source(1), seconds_after(start, 100)), Failed::Refused { retry_after: 19 });
    let almost = seconds_after(start, 119) - Duration::from_nanos(1);
    assert_eq!(throttle.check(source(1), None, almost), Verdict::Refused { retry_after: 1 });
    assert_eq!(throttle.check(source(2), None, almost), Verdict::Open);
    assert_eq!(throttle.check(source(1), None, seconds_after(start, 119)), Verdict::Open);
    assert_eq!(throttle.expire(seconds_after(start, 119)), [Ended { source: source(1), refused: 3 }]);
    assert_eq!(throttle.expire(seconds_after(start, 119)), []);
    assert_eq!(throttle.refused_total(), 3);
}

#[test]
fn ten_a_minute_for_ever_are_no_block() {
    let (throttle, start) = (Throttle::default(), Instant::now());
    for at in 0..1_000 {
        assert_eq!(throttle.failed(source(1), seconds_after(start, 6 * at)), Failed::Counted);
    }
}

#[test]
fn what_was_good_from_there_is_known_from_there_only() {
    let (throttle, now) = (Throttle::default(), Instant::now());
    throttle.good(source(1), &hash(1));
    throttle.good(source(2), &hash(2));
    assert_eq!(throttle.check(source(1), Some(&hash(1)), now), Verdict::Open);
    for _ in 0..11 {
        throttle.failed(source(1), now);
    }
    assert_eq!(throttle.check(source(1), Some(&hash(1)), now), Verdict::Known);
    assert_eq!(throttle.check(source(1), Some(&hash(2)), now), Verdict::Refused { retry_after: 60 });
    throttle.forget(source(1), &hash(1));
    assert_eq!(throttle.check(source(1), Some(&hash(1)), now), Verdict::Refused { retry_after: 60 });
}

#[test]
fn of_what_was_good_the_one_used_longest_ago_goes() {
    let (throttle, now) = (Throttle::with_room(10, 2), Instant::now());
    for number in [1, 2, 1, 3] {
        throttle.good(source(1), &hash(number));
    }
    for _ in 0..11 {
        throttle.failed(source(1), now);
    }
    let is_known = |number| throttle.check(source(1), Some(&hash(number)), now) == Verdict::Known;
    assert!(is_known(1) && !is_known(2) && is_known(3));
}

#[test]
fn a_flood_of_addresses_takes_no_more_room_than_there_is() {
    let (throttle, start) = (Throttle::default(), Instant::now());
    let address = |number: u32| Source::from(Client::from(IpAddr::from(number.to_be_bytes())));
    for number in 0..100_000 {
        throttle.failed(address(number), start);
    }
    assert_eq!(throttle.failures().by_source.len(), MOST_SOURCES);
    // The latest are those that are kept.
    for _ in 0..9 {
        assert_eq!(throttle.failed(address(99_999), start), Failed::Counted);
        assert_eq!(throttle.failed(address(0), start), Failed::Counted);
    }
    assert_eq!(throttle.failed(address(0), start), Failed::Counted);
    assert!(matches!(throttle.failed(address(99_999), start), Failed::Blocked { .. }));
    throttle.expire(start + WINDOW);
    assert_eq!(throttle.failures().by_source.len(), 0);
}

#[test]
fn a_source_is_an_address_or_the_network_of_one_customer() {
    let source = |text: &str| Source::from(Client::Ip(text.parse::<IpAddr>().expect("an address")));
    assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    assert_eq!(source("192.0.2.1"), source("::ffff:192.0.2.1"));
    assert_eq!(source("2001:db8:0:1::1"), source("2001:db8:0:1:ffff:ffff:ffff:ffff"));
    assert_ne!(source("2001:db8:0:1::1"), source("2001:db8:0:2::1"));
    assert_eq!(source("::ffff:192.0.2.1").to_string(), "192.0.2.1");
    assert_eq!(source("2001:db8:0:1::1").to_string(), "2001:db8:0:1::/64");
}
