//! Regular expressions as far as digits need them: literals, `.`, `\d`, `[0-9]`, `(a|b)`, `^`, `$` and how often.
//!
//! An expression that holds more fits nothing, nor one that is longer than any for digits.

/// In bytes.
const LONGEST: usize = 200;

/// What has to be there, and how often.
#[derive(Debug)]
struct Piece {
    atom: Atom,
    least: usize,
    most: usize,
}

#[derive(Debug)]
enum Atom {
    Start,
    End,
    Any,
    Literal(char),
    /// Ranges, both ends included; `true`: none of them.
    Class(Vec<(char, char)>, bool),
    Group(Vec<Vec<Piece>>),
}

/// Whether `text` holds something that fits, as PCRE searches.
pub(crate) fn matches(expression: &str, text: &str) -> bool {
    if expression.len() > LONGEST {
        return false;
    }
    let expression: Vec<char> = expression.chars().collect();
    let mut at = 0;
    let Some(choices) = choices(&expression, &mut at).filter(|_| at == expression.len()) else {
        return false;
    };
    let text: Vec<char> = text.chars().collect();
    (0..=text.len()).any(|from| fits_any(&choices, &text, from, &mut |_| true))
}

fn choices(expression: &[char], at: &mut usize) -> Option<Vec<Vec<Piece>>> {
    let mut all = vec![Vec::new()];
    while let Some(&c) = expression.get(*at) {
        if c == ')' {
            break;
        }
        *at += 1;
        let atom = match c {
            '|' => {
                all.push(Vec::new());
                continue;
            }
            '^' => Atom::Start,
            '$' => Atom::End,
            '.' => Atom::Any,
            '[' => class(expression, at)?,
            '(' => {
                if expression.get(*at..*at + 2) == Some(&['?', ':']) {
                    *at += 2;
                }
                let group = choices(expression, at)?;
                (*expression.get(*at)? == ')').then_some(())?;
                *at += 1;
                Atom::Group(group)
            }
            '\\' => {
                let escaped = *expression.get(*at)?;
                *at += 1;
                match escaped {
                    'd' => Atom::Class(vec![('0', '9')], false),
                    'D' => Atom::Class(vec![('0', '9')], true),
                    c if c.is_alphanumeric() => return None,
                    c => Atom::Literal(c),
                }
            }
            '*' | '+' | '?' | '{' => return None,
            c => Atom::Literal(c),
        };
        let (least, most) = how_often(expression, at)?;
        all.last_mut()?.push(Piece { atom, least, most });
    }
    Some(all)
}

fn class(expression: &[char], at: &mut usize) -> Option<Atom> {
    let negated = expression.get(*at) == Some(&'^');
    *at += usize::from(negated);
    let mut ranges = Vec::new();
    loop {
        let mut from = *expression.get(*at)?;
        *at += 1;
        if from == ']' {
            return Some(Atom::Class(ranges, negated));
        }
        if from == '\\' {
            from = *expression.get(*at)?;
            *at += 1;
            if from == 'd' {
                ranges.push(('0', '9'));
                continue;
            }
        }
        let mut to = from;
        if expression.get(*at) == Some(&'-') && expression.get(*at + 1).is_some_and(|c| *c != ']') {
            to = *expression.get(*at + 1)?;
            *at += 2;
        }
        ranges.push((from, to));
    }
}

fn how_often(expression: &[char], at: &mut usize) -> Option<(usize, usize)> {
    let often = match expression.get(*at) {
        Some('*') => (0, usize::MAX),
        Some('+') => (1, usize::MAX),
        Some('?') => (0, 1),
        Some('{') => {
            let end = *at + expression.get(*at..)?.iter().position(|c| *c == '}')?;
            let inside: String = expression.get(*at + 1..end)?.iter().collect();
            *at = end;
            match inside.split_once(',') {
                Some((least, "")) => (least.parse().ok()?, usize::MAX),
                Some((least, most)) => (least.parse().ok()?, most.parse().ok()?),
                None => (inside.parse().ok()?, inside.parse().ok()?),
            }
        }
        _ => return Some((1, 1)),
    };
    *at += 1;
    Some(often)
}

type Rest<'a> = &'a mut dyn FnMut(usize) -> bool;

fn fits_any(choices: &[Vec<Piece>], text: &[char], at: usize, rest: Rest<'_>) -> bool {
    choices.iter().any(|pieces| fits(pieces, text, at, rest))
}

fn fits(pieces: &[Piece], text: &[char], at: usize, rest: Rest<'_>) -> bool {
    match pieces.split_first() {
        Some((piece, behind)) => again(piece, 0, text, at, &mut |at| fits(behind, text, at, rest)),
        None => rest(at),
    }
}

/// As often as possible, then less often.
fn again(piece: &Piece, done: usize, text: &[char], at: usize, rest: Rest<'_>) -> bool {
    let more = done < piece.most
        && once(&piece.atom, text, at, &mut |next| {
            // What fits an empty text fits it once.
            (next > at || done < piece.least) && again(piece, done + 1, text, next, rest)
        });
    more || (done >= piece.least && rest(at))
}

fn once(atom: &Atom, text: &[char], at: usize, rest: Rest<'_>) -> bool {
    let here = text.get(at).copied();
    let fits = match atom {
        Atom::Group(choices) => return fits_any(choices, text, at, rest),
        Atom::Start => return at == 0 && rest(at),
        Atom::End => return at == text.len() && rest(at),
        Atom::Any => here.is_some(),
        Atom::Literal(c) => here == Some(*c),
        Atom::Class(ranges, negated) => {
            here.is_some_and(|c| ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *negated)
        }
    };
    fits && rest(at + 1)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn expressions_for_digits_fit_what_they_should() {
        for (expression, fit, misfit) in [
            (r"\d+", "x12", "*#"),
            (r"^\d{4}$", "1234", "12345"),
            (r"^(1234|5678)$", "5678", "1278"),
            (r"^[0-9*]+#?$", "12*", "1#2"),
            (r"^\d{2,3}$", "123", "1"),
            (r"^1(23)*$", "12323", "1232"),
            (r"^[^1]\d$", "21", "11"),
            (r"", "", "nothing is a misfit"),
        ] {
            assert!(matches(expression, fit), "{expression} {fit}");
            assert!(expression.is_empty() || !matches(expression, misfit), "{expression} {misfit}");
        }
    }

    #[test]
    fn what_is_not_understood_fits_nothing() {
        for expression in [r"\w", "(1", "+", "a{x}", "[1", "1)", &"1?".repeat(101)] {
            assert!(!matches(expression, "1"), "{expression}");
        }
    }
}
