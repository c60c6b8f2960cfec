use super::*;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// This number of candidates to each of `endpoints` endpoints of a client.
fn candidates(client: u128, endpoints: u128, each: u128) -> Vec<Candidate> {
    let one = |number| Candidate {
        id: id((client << 64) | number),
        endpoint_id: id((client << 64) | (number % endpoints)),
        client_id: id(client),
    };
    (0..endpoints * each).map(one).collect()
}

/// What is in flight once these are started at `at`.
fn started(candidates: &[Candidate], chosen: &[Uuid], at: Instant) -> Vec<Started> {
    let chosen = candidates.iter().filter(|candidate| chosen.contains(&candidate.id));
    chosen.map(|one| Started { endpoint_id: one.endpoint_id, client_id: one.client_id, at }).collect()
}

fn of(client: u128, chosen: &[Uuid]) -> usize {
    chosen.iter().filter(|chosen| chosen.as_u128() >> 64 == client).count()
}

#[test]
fn one_client_never_has_more_than_its_share() {
    let mut paces = Paces::default();
    let now = Instant::now();
    let offered = candidates(1, 20, 40);
    for candidate in &offered {
        let endpoint = Started { endpoint_id: candidate.endpoint_id, client_id: candidate.client_id, at: now };
        paces.record(endpoint, now, true);
    }
    let chosen = paces.admission(std::iter::empty(), now).choose(offered.clone());
    assert_eq!(chosen.len(), PER_CLIENT);
    let next = paces.admission(started(&offered, &chosen, now).into_iter(), now);
    assert_eq!(next.full_clients(), [id(1)]);
    assert!(next.choose(offered).is_empty());
}

#[test]
fn clients_take_turns_however_long_their_backlogs_are() {
    let mut paces = Paces::default();
    let now = Instant::now();
    let mut offered: Vec<Candidate> = (1..=9).flat_map(|client| candidates(client, 4, 16)).collect();
    for candidate in &offered {
        let endpoint = Started { endpoint_id: candidate.endpoint_id, client_id: candidate.client_id, at: now };
        paces.record(endpoint, now, true);
        paces.record(endpoint, now, true);
    }
    offered.extend(candidates(10, 1, 1));
    let chosen = paces.admission(std::iter::empty(), now).choose(offered);
    assert_eq!((chosen.len(), of(10, &chosen)), (AT_ONCE, 1));
    let permits: Vec<_> = (1..=9).map(|client| of(client, &chosen)).collect();
    assert!(permits.iter().all(|share| (28..=29).contains(share)), "{permits:?}");
}

#[test]
fn slow_endpoints_of_any_number_of_clients_leave_room_for_quick_ones() {
    let mut paces = Paces::default();
    let begin = Instant::now();
    let slow: Vec<Candidate> = (1..=50).flat_map(|client| candidates(client, 20, 40)).collect();
    let quick = candidates(99, 1, 1);
    paces.record(Started { endpoint_id: quick[0].endpoint_id, client_id: quick[0].client_id, at: begin }, begin, true);
    let mut in_flight = Vec::new();
    // None of those that are started ever ends.
    for seconds in 0..60 {
        let now = begin + Duration::from_secs(seconds);
        let chosen = paces.admission(in_flight.iter().copied(), now).choose(slow.clone());
        in_flight.extend(started(&slow, &chosen, now));
        let later = now + Duration::from_millis(1);
        let chosen = paces.admission(in_flight.iter().copied(), later).choose(quick.clone());
        assert_eq!(chosen.len(), 1, "after {seconds} s with {} in flight", in_flight.len());
    }
    assert!(in_flight.len() <= UNPROVEN_AT_ONCE, "{}", in_flight.len());
}

#[test]
fn an_endpoint_gets_more_with_each_quick_answer_and_few_after_a_slow_one() {
    let mut paces = Paces::default();
    let at = Instant::now();
    let endpoint = Started { endpoint_id: id(2), client_id: id(1), at };
    let mut room = || paces.admission(std::iter::empty(), at).left(id(2), id(1));
    assert_eq!(room(), 4);
    let mut after = |milliseconds| {
        paces.record(endpoint, at + Duration::from_millis(milliseconds), true);
        paces.admission(std::iter::empty(), at).left(id(2), id(1))
    };
    assert_eq!([after(999), after(1), after(1)], [8, 16, 16]);
    assert_eq!([after(1_000), after(1), after(1)], [4, 4, 8]);
}

#[test]
fn an_endpoint_that_fails_at_once_gets_no_more() {
    let mut paces = Paces::default();
    let at = Instant::now();
    for _ in 0..5 {
        paces.record(Started { endpoint_id: id(2), client_id: id(1), at }, at, false);
    }
    assert_eq!(paces.admission(std::iter::empty(), at).left(id(2), id(1)), 4);
}

#[test]
fn a_slow_endpoint_is_passed_over_while_the_slow_ones_have_no_room() {
    let mut paces = Paces::default();
    let at = Instant::now();
    let now = at + SLOW;
    let offered = candidates(1, 20, 40);
    for candidate in &offered {
        paces.record(Started { endpoint_id: candidate.endpoint_id, client_id: candidate.client_id, at }, now, true);
    }
    let chosen = paces.admission(std::iter::empty(), now).choose(offered.clone());
    assert_eq!(chosen.len(), UNPROVEN_PER_CLIENT);
    let next = paces.admission(started(&offered, &chosen, now).into_iter(), now);
    assert_eq!(next.full_endpoints().len(), 20);
    assert!(next.full_clients().is_empty());
}
