//! Every dialogue there can be, for every kind of document, and a few of them as stories.

use super::*;

const MEMBER: &str = "1234";
const MODERATOR: &str = "4321";
const WRONG: &str = "999";
const TRIES: u32 = 3;

fn pins(whom: For, members: bool, moderators: bool) -> Pins {
    let of = |is: bool, pin| if is { vec![Typed::new("0"), Typed::new(pin)] } else { Vec::new() };
    Pins { whom, members: of(members, MEMBER), moderators: of(moderators, MODERATOR) }
}

fn every_door() -> Vec<Pins> {
    let whom = [For::Members, For::Moderators, For::Everybody];
    let all = whom.into_iter().flat_map(|whom| {
        [(false, false), (false, true), (true, false), (true, true)]
            .map(|(members, moderators)| pins(whom, members, moderators))
    });
    all.collect()
}

/// What the world answers, of all that it can.
#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Types(&'static str),
    TypesNothing,
    Finds,
    FindsNothing,
    GoesOn(bool),
}

/// All answers to what is to be done; none if it is over.
fn answers(next: &Next) -> Vec<Answer> {
    match next {
        Next::Ask(Question::Pin, _) => {
            vec![Answer::Types(MEMBER), Answer::Types(MODERATOR), Answer::Types(WRONG), Answer::TypesNothing]
        }
        Next::Ask(Question::Number, _) => vec![Answer::Types("5551234"), Answer::TypesNothing],
        Next::LookUp(_) => vec![Answer::Finds, Answer::FindsNothing],
        Next::Wrong => vec![Answer::GoesOn(true), Answer::GoesOn(false)],
        Next::Admit(_) | Next::Refuse(_) => Vec::new(),
    }
}

fn tell(dialogue: &mut Dialogue, answer: &Answer, door: &Pins) -> Next {
    match answer {
        Answer::Types(digits) => dialogue.typed(Some(&Typed::new(digits))),
        Answer::TypesNothing => dialogue.typed(None),
        Answer::Finds => dialogue.found(Some(door.clone())),
        Answer::FindsNothing => dialogue.found(None),
        Answer::GoesOn(may) => dialogue.may_go_on(*may),
    }
}

/// Plays all dialogues from there to their ends; gives each with its end.
fn play(
    dialogue: &Dialogue,
    next: Next,
    door: &Pins,
    so_far: &mut Vec<Answer>,
    ends: &mut Vec<(Vec<Answer>, Next)>,
) {
    assert!(so_far.len() < 40, "it does not end: {so_far:?}");
    let answers = answers(&next);
    if answers.is_empty() {
        ends.push((so_far.clone(), next));
        return;
    }
    for answer in answers {
        let mut dialogue = dialogue.clone();
        let next = tell(&mut dialogue, &answer, door);
        so_far.push(answer);
        play(&dialogue, next, door, so_far, ends);
        so_far.pop();
    }
}

fn all_ends(door: &Pins, lobby: bool) -> Vec<(Vec<Answer>, Next)> {
    let mut dialogue = Dialogue::new(TRIES);
    let next = if lobby { dialogue.begin_in_lobby() } else { dialogue.begin_at(door.clone()) };
    let mut ends = Vec::new();
    play(&dialogue, next, door, &mut Vec::new(), &mut ends);
    ends
}

/// What the rules say of somebody who is let in, told without the state machine.
fn may_become(role: Role, door: &Pins, last: Option<&Answer>) -> bool {
    let typed = |pin| last == Some(&Answer::Types(pin));
    let silent = last.is_none_or(|answer| matches!(answer, Answer::TypesNothing | Answer::Finds));
    match (door.whom, role) {
        (For::Moderators, Role::Member) => false,
        (For::Moderators, Role::Moderator) => {
            if door.moderators.is_empty() {
                silent
            } else {
                typed(MODERATOR)
            }
        }
        (_, Role::Moderator) => !door.moderators.is_empty() && typed(MODERATOR),
        (_, Role::Member) => {
            if door.members.is_empty() {
                silent
            } else {
                typed(MEMBER)
            }
        }
    }
}

#[test]
fn in_every_dialogue_the_right_pin_and_nothing_else_opens_the_door() {
    let mut played = 0;
    for (door, lobby) in every_door().into_iter().flat_map(|door| [(door.clone(), false), (door, true)]) {
        for (answers, end) in all_ends(&door, lobby) {
            played += 1;
            let told = || format!("{door:?}, lobby {lobby}: {answers:?} ends with {end:?}");
            let count = |wanted: fn(&Answer) -> bool| answers.iter().filter(|answer| wanted(answer)).count();
            let asked = count(|answer| matches!(answer, Answer::Types(_) | Answer::TypesNothing));
            assert!(asked <= 2 * TRIES as usize, "{}", told());
            match &end {
                Next::Admit(role) => assert!(may_become(*role, &door, answers.last()), "{}", told()),
                Next::Refuse(refusal) => {
                    let at_door = answers
                        .iter()
                        .rposition(|answer| *answer == Answer::Finds)
                        .map_or(usize::from(lobby) * answers.len(), |at| at + 1);
                    let (before, behind) = answers.split_at(at_door);
                    let since = if behind.is_empty() { before } else { behind };
                    let has_typed = since.iter().any(|answer| matches!(answer, Answer::Types(_)));
                    let expected = match answers.last() {
                        Some(Answer::GoesOn(false)) => Refusal::LockedOut,
                        _ if !has_typed => Refusal::Timeout,
                        _ if behind.is_empty() => Refusal::UnknownNumber,
                        _ => Refusal::BadPin,
                    };
                    assert_eq!(*refusal, expected, "{}", told());
                }
                other => panic!("{other:?} is no end"),
            }
        }
    }
    assert!(played > 1_000, "{played} dialogues");
}

#[test]
fn every_role_that_a_document_gives_can_be_had() {
    for door in every_door() {
        let ends = all_ends(&door, false);
        let becomes = |role| ends.iter().any(|(_, end)| *end == Next::Admit(role));
        assert_eq!(becomes(Role::Member), door.whom != For::Moderators, "{door:?}");
        // Who is asked no PIN has no chance to type one.
        let is_asked = door.whom != For::Members || !door.members.is_empty();
        let by_pin = is_asked && !door.moderators.is_empty();
        let is_theirs = door.whom == For::Moderators && door.moderators.is_empty();
        assert_eq!(becomes(Role::Moderator), by_pin || is_theirs, "{door:?}");
    }
}

#[test]
fn where_no_pin_is_taken_who_needs_none_gets_in_all_the_same() {
    for door in every_door() {
        let mut dialogue = Dialogue::new(TRIES);
        let begun = dialogue.begin_at(door.clone());
        let expected = match (door.whom, door.members.is_empty(), door.moderators.is_empty()) {
            (For::Moderators, _, true) => Next::Admit(Role::Moderator),
            (For::Members | For::Everybody, true, _) => Next::Admit(Role::Member),
            _ => Next::Refuse(Refusal::LockedOut),
        };
        assert_eq!(dialogue.without_pin(), expected, "{door:?} began with {begun:?}");
    }
}

#[test]
fn where_no_pin_is_wanted_nobody_is_asked_for_one() {
    let mut dialogue = Dialogue::new(TRIES).welcoming();
    assert_eq!(dialogue.begin_at(pins(For::Everybody, false, false)), Next::Admit(Role::Member));
    assert_eq!(dialogue.take_greeting(), [Prompt::Welcome], "he is welcomed all the same");
    assert_eq!(
        Dialogue::new(TRIES).begin_at(pins(For::Moderators, true, false)),
        Next::Admit(Role::Moderator)
    );
    assert_eq!(Dialogue::new(TRIES).begin_at(pins(For::Members, false, true)), Next::Admit(Role::Member));
}

#[test]
fn the_welcome_is_heard_once_and_a_wrong_pin_before_the_next_question() {
    let mut dialogue = Dialogue::new(TRIES).welcoming();
    let door = pins(For::Members, true, true);
    assert_eq!(dialogue.begin_at(door), Next::Ask(Question::Pin, vec![Prompt::Welcome, Prompt::EnterPin]));
    assert_eq!(dialogue.typed(Some(&Typed::new(WRONG))), Next::Wrong);
    assert_eq!(dialogue.may_go_on(true), Next::Ask(Question::Pin, vec![Prompt::BadPin, Prompt::EnterPin]));
    assert_eq!(dialogue.typed(Some(&Typed::new(MODERATOR))), Next::Admit(Role::Moderator));
}

#[test]
fn who_types_nothing_is_only_asked_again() {
    let mut dialogue = Dialogue::new(TRIES);
    dialogue.begin_at(pins(For::Members, true, false));
    for _ in 0..2 {
        assert_eq!(dialogue.typed(None), Next::Ask(Question::Pin, vec![Prompt::EnterPin]));
    }
    assert_eq!(dialogue.typed(None), Next::Refuse(Refusal::Timeout));
}

#[test]
fn the_tries_in_the_lobby_do_not_count_at_the_door() {
    let mut dialogue = Dialogue::new(TRIES);
    dialogue.begin_in_lobby();
    for _ in 0..2 {
        dialogue.typed(Some(&Typed::new("1")));
        assert_eq!(
            dialogue.found(None),
            Next::Ask(Question::Number, vec![Prompt::BadNumber, Prompt::EnterNumber])
        );
    }
    dialogue.typed(Some(&Typed::new("5551234")));
    dialogue.found(Some(pins(For::Members, true, false)));
    for _ in 0..2 {
        assert_eq!(dialogue.typed(Some(&Typed::new(WRONG))), Next::Wrong);
        assert!(matches!(dialogue.may_go_on(true), Next::Ask(Question::Pin, _)));
    }
    dialogue.typed(Some(&Typed::new(WRONG)));
    assert_eq!(dialogue.may_go_on(true), Next::Refuse(Refusal::BadPin));
}

#[test]
fn what_is_no_answer_changes_nothing() {
    let mut dialogue = Dialogue::new(TRIES);
    dialogue.begin_at(pins(For::Members, true, false));
    assert!(matches!(dialogue.found(None), Next::Ask(Question::Pin, _)));
    assert!(matches!(dialogue.may_go_on(false), Next::Ask(Question::Pin, _)));
    dialogue.typed(Some(&Typed::new(MEMBER)));
    for _ in 0..3 {
        assert_eq!(dialogue.typed(Some(&Typed::new(WRONG))), Next::Admit(Role::Member));
        assert_eq!(dialogue.may_go_on(false), Next::Admit(Role::Member));
    }
}

#[test]
fn neither_pins_nor_what_is_typed_are_shown() {
    let door = pins(For::Everybody, true, true);
    let shown = format!("{door:?} {:?} {:?}", Typed::new(MEMBER), Next::LookUp(Typed::new(MODERATOR)));
    assert!(!shown.contains(MEMBER) && !shown.contains(MODERATOR), "{shown}");
}
