//! What a key means.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Quit,
    /// So many rows down; up, if less than 0.
    Move(isize),
    First,
    Last,
    /// To the other table.
    Switch,
    Mute,
    Unmute,
    Deaf,
    Kick,
    Lock,
    /// What was asked is to be done.
    Yes,
    /// What was asked is not to be done.
    No,
    /// Other order of the conferences.
    Sort,
}

/// The keys and what they do, for the last line.
pub(super) const HELP: &str = "q quit  Tab other table  m mute  u unmute  d deaf  k kick  l lock  s sort";

/// How many rows a page has.
const PAGE: isize = 10;

/// What a key means, while it is asked for a yes or not.
pub(super) fn step(is_asking: bool, key: KeyEvent) -> Option<Step> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return matches!(key.code, KeyCode::Char('c' | 'd')).then_some(Step::Quit);
    }
    if is_asking {
        return Some(match key.code {
            KeyCode::Char('y' | 'Y') => Step::Yes,
            _ => Step::No,
        });
    }
    Some(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Step::Quit,
        KeyCode::Up => Step::Move(-1),
        KeyCode::Down => Step::Move(1),
        KeyCode::PageUp => Step::Move(-PAGE),
        KeyCode::PageDown => Step::Move(PAGE),
        KeyCode::Home => Step::First,
        KeyCode::End => Step::Last,
        KeyCode::Tab | KeyCode::BackTab | KeyCode::Enter | KeyCode::Left | KeyCode::Right => Step::Switch,
        KeyCode::Char('m') => Step::Mute,
        KeyCode::Char('u') => Step::Unmute,
        KeyCode::Char('d') => Step::Deaf,
        KeyCode::Char('k') => Step::Kick,
        KeyCode::Char('l') => Step::Lock,
        KeyCode::Char('s') => Step::Sort,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_the_last_line_says() {
        let press = |c| step(false, KeyEvent::from(KeyCode::Char(c)));
        let expected = [
            ('q', Step::Quit),
            ('m', Step::Mute),
            ('u', Step::Unmute),
            ('d', Step::Deaf),
            ('k', Step::Kick),
            ('l', Step::Lock),
            ('s', Step::Sort),
        ];
        for (c, meant) in expected {
            assert_eq!(press(c), Some(meant), "{c}");
            assert!(HELP.split("  ").any(|part| part.starts_with(&format!("{c} "))), "{c}");
        }
        assert_eq!(press('x'), None);
        assert_eq!(step(false, KeyEvent::from(KeyCode::Tab)), Some(Step::Switch));
    }

    #[test]
    fn only_y_is_a_yes_and_control_c_ends_always() {
        for is_asking in [true, false] {
            let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert_eq!(step(is_asking, key), Some(Step::Quit));
        }
        assert_eq!(step(true, KeyEvent::from(KeyCode::Char('y'))), Some(Step::Yes));
        for other in [KeyCode::Char('k'), KeyCode::Enter, KeyCode::Esc, KeyCode::Char('q')] {
            assert_eq!(step(true, KeyEvent::from(other)), Some(Step::No), "{other:?}");
        }
    }
}
