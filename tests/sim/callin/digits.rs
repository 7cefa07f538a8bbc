//! `play_and_get_digits`.

use crate::line::{Line, answered, get, parked};

/// A prompt of a second, half a second about bad input.
const SOUNDS: &str = "tone_stream://%(1000,0,300) silence_stream://500 pin";

fn ask(line: &mut Line, limits: &str, rest: &str) {
    line.send("play_and_get_digits", &format!("{limits} {SOUNDS} {rest}"));
    line.pass(5);
}

/// The digits, `read_result` and what was told.
fn result(line: &mut Line) -> (String, String, Vec<String>) {
    (line.variable("pin"), line.variable("read_result"), line.told())
}

const OVER: &str = "play_and_get_digits";

#[test]
fn a_key_ends_the_prompt_and_a_terminator_the_question() {
    let mut line = answered();
    ask(&mut line, "1 16 1 3000 #", r"\d+ 2000");
    line.pass(200);
    line.press("12");
    assert_eq!(line.told(), [""; 0]);
    assert_eq!(line.variable("playback_ms"), "204", "the prompt was cut");
    line.pass(1900);
    line.press("3#");
    assert_eq!(result(&mut line), ("123".into(), "success".into(), vec![OVER.into()]));
    assert_eq!(line.variable("read_terminator_used"), "#");
}

#[test]
fn enough_digits_or_none_for_too_long_end_it_too() {
    let mut line = answered();
    ask(&mut line, "1 4 1 3000 #", r"\d+ 2000");
    line.press("12345");
    assert_eq!(result(&mut line), ("1234".into(), "success".into(), vec![OVER.into()]));
    ask(&mut line, "1 4 1 3000 #", r"\d+ 2000");
    line.press("12");
    line.pass(1999);
    assert_eq!(line.told(), [""; 0]);
    line.pass(1);
    // Tried: enough of them is a success for the question, a timeout in the variable.
    assert_eq!(result(&mut line), ("12".into(), "timeout".into(), vec![OVER.into()]));
}

#[test]
fn nobody_pressing_costs_a_try_after_the_first_timeout_and_the_word_about_it() {
    let mut line = answered();
    line.send("play_and_get_digits", &format!(r"1 4 2 3000 # {SOUNDS} \d+ 2000"));
    line.pass(1);
    // A prompt, the wait, bad input: twice.
    line.pass(2 * (1000 + 3000 + 500) - 1);
    assert_eq!(line.told(), [""; 0]);
    line.pass(1);
    assert_eq!(result(&mut line), ("_undef_".into(), "failure".into(), vec![OVER.into()]));
}

/// `play_and_get_digits_function`: less than a second to wait is a second. `switch_ivr_read`: without a timeout
/// between digits it is the same.
#[test]
fn short_and_missing_timeouts_are_filled_in() {
    let mut line = answered();
    line.send("play_and_get_digits", "1 4 1 200 # silence '' pin");
    line.pass(1);
    line.press("1");
    line.pass(999);
    assert_eq!(line.told(), [""; 0]);
    line.pass(1);
    assert_eq!(result(&mut line), ("1".into(), "timeout".into(), vec![OVER.into()]));
}

/// Tried.
#[test]
fn digits_that_do_not_fit_are_named_invalid_and_those_that_are_too_few_stay() {
    let mut line = answered();
    ask(&mut line, "1 16 1 1500 #", "^9+$ 1000");
    line.press("12#");
    assert_eq!(line.told(), [""; 0], "the word about bad input is heard");
    line.pass(500);
    assert_eq!(result(&mut line), ("_undef_".into(), "success".into(), vec![OVER.into()]));
    assert_eq!(line.variable("pin_invalid"), "12");
    ask(&mut line, "4 16 1 1500 #", r"\d+ 1000");
    assert_eq!(line.variable("pin_invalid"), "_undef_");
    line.press("12");
    line.pass(1500);
    assert_eq!(result(&mut line), ("12".into(), "failure".into(), vec![OVER.into()]));
}

/// Tried: no time passes for the prompt or the wait, only for the word about bad input.
#[test]
fn a_prompt_that_does_not_exist_costs_all_tries_at_once() {
    let mut line = answered();
    line.send("play_and_get_digits", r"1 16 2 3000 # /nonexistent.wav silence_stream://100 pin \d+ 2000");
    line.pass(1 + 199);
    assert_eq!(line.told(), [""; 0]);
    line.pass(1);
    assert_eq!(result(&mut line), ("_undef_".into(), "_undef_".into(), vec![OVER.into()]));
    // A word about bad input that does not exist takes no time.
    line.send("play_and_get_digits", r"1 16 2 1000 # silence_stream://100 /nonexistent.wav pin \d+ 1000");
    line.pass(1 + 2 * 1100);
    assert_eq!(line.told(), [OVER]);
}

/// Tried: keys pressed while the word about bad input is heard wait for the next try.
#[test]
fn keys_pressed_too_early_are_for_the_next_try() {
    let mut line = answered();
    ask(&mut line, "1 16 2 1500 #", "^9+$ 1000");
    line.press("1#");
    line.press("99#");
    assert_eq!(line.told(), [""; 0]);
    line.pass(500);
    assert_eq!(result(&mut line), ("99".into(), "success".into(), vec![OVER.into()]));
}

/// Tried for the first two: `+#` keeps the terminator, `=#` wants one. `switch_ivr_read`: of a single key that is a
/// terminator nothing is left.
#[test]
fn marks_before_a_terminator_change_what_it_does() {
    for (limits, keys, pin, read) in [
        ("1 16 1 1500 +#", "12#", "12#", "success"),
        ("1 16 1 1500 =#", "12", "12", "failure"),
        ("1 1 1 1500 #", "#", "_undef_", "success"),
        ("0 4 1 1500 #", "#", "_undef_", "success"),
    ] {
        let mut line = answered();
        ask(&mut line, limits, ". 1000");
        line.press(keys);
        line.pass(3000);
        assert_eq!(result(&mut line), (pin.into(), read.into(), vec![OVER.into()]), "{limits} {keys}");
    }
}

/// Tried: a hang-up with enough digits reads as success; only the channel's headers tell.
#[test]
fn half_a_pin_and_a_hang_up_read_as_success() {
    let mut line = answered();
    ask(&mut line, "1 16 3 3000 #", r"\d+ 2000");
    line.press("12");
    line.hang_up();
    let events = line.events();
    assert_eq!(get(&events[0], "Application"), OVER);
    let said = ["variable_pin", "variable_read_result", "Answer-State", "Hangup-Cause"]
        .map(|name| get(&events[0], name));
    assert_eq!(said, ["12", "success", "hangup", "NORMAL_CLEARING"]);
    let mut line = answered();
    ask(&mut line, "1 16 3 3000 #", r"\d+ 2000");
    line.pass(1100);
    line.hang_up();
    assert_eq!(get(&line.events()[0], "variable_read_result"), "failure");
}

/// Tried: `uuid_break` ends sounds only; in between it spoils the next one.
#[test]
fn a_break_ends_the_prompt_and_not_the_question() {
    let mut line = answered();
    ask(&mut line, "1 16 2 1500 #", r"\d+ 1500");
    line.pass(300);
    assert_eq!(line.api("uuid_break {}"), "+OK\n");
    line.pass(500);
    line.api("uuid_break {}");
    // The rest of the wait, no word about it, then all of the second try.
    line.pass(1000 + 1000 + 1500 + 499);
    assert_eq!(line.told(), [""; 0]);
    line.pass(1);
    assert_eq!(line.told(), [OVER]);
}

/// `switch_play_and_get_digits`, the last argument.
#[test]
fn a_failure_may_lead_elsewhere() {
    let mut line = answered();
    ask(&mut line, "1 4 1 1000 #", r"\d+ 1000 'set:lost=true,conference:lobby@default inline'");
    line.pass(1000 + 1000 + 500 + 100);
    assert_eq!(line.told(), [OVER, "park", "set", "conference-create", "add-member", "floor-change"]);
}

/// Before there is media a key reaches nobody; a question brings media.
#[test]
fn a_question_answers_the_call_early() {
    let mut line = parked();
    line.press("1");
    ask(&mut line, "1 4 1 1000 #", r"\d+ 1000");
    assert_eq!(line.shown("callstate"), "EARLY");
    line.press("2#");
    assert_eq!(line.variable("pin"), "2");
}
