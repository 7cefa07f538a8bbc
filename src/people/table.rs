//! Tables in plain text: columns as wide as they need, the widest cut where the terminal ends.
//!
//! By hand: the crates for it wrap long cells, and a row is one line here.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::output::{Output, Tone};
use crate::client::clean;

/// No column is cut below this.
const NARROWEST: usize = 6;
const GAP: &str = "  ";

/// A table under construction.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<(Tone, String)>>,
}

impl Table {
    /// With these words above its columns.
    pub(super) fn new(heads: &[&str]) -> Self {
        let heads = heads.iter().map(|head| (Tone::Faint, (*head).to_owned()));
        Self { rows: vec![heads.collect()] }
    }

    /// One more row. Cells may have been chosen by others.
    pub(super) fn row(&mut self, cells: Vec<(Tone, String)>) {
        self.rows.push(cells.into_iter().map(|(tone, text)| (tone, clean(&text).into_owned())).collect());
    }

    /// Its lines.
    pub(super) fn text(&self, output: Output) -> String {
        let widths = self.widths(output.width);
        let lines = self.rows.iter().map(|row| {
            let last = row.len().saturating_sub(1);
            let cells = row.iter().zip(&widths).enumerate().map(|(column, ((tone, text), width))| {
                let (text, is) = cut(text, *width);
                let padding = if column == last { 0 } else { width - is };
                format!("{}{}", output.tone(*tone, text), " ".repeat(padding))
            });
            cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// As wide as the widest cell; then, as long as it is too much, the widest column gives way.
    fn widths(&self, most: Option<usize>) -> Vec<usize> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|(_, text)| text.width()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns).map(width).collect();
        let Some(most) = most else { return widths };
        let gaps = GAP.len() * columns.saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > most {
            match widths.iter_mut().max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

/// The text within a width, and how wide it is then.
pub(super) fn cut(text: &str, most: usize) -> (String, usize) {
    let whole = text.width();
    if whole <= most {
        return (text.to_owned(), whole);
    }
    let mut kept = String::new();
    let mut width = 0;
    for c in text.chars() {
        let more = c.width().unwrap_or(0);
        if width + more + 1 > most {
            break;
        }
        kept.push(c);
        width += more;
    }
    if most > 0 {
        kept.push('…');
        width += 1;
    }
    (kept, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "N", "CALL"]);
        let plain = |text: &str| (Tone::Plain, text.to_owned());
        table.row(vec![plain("A very long name of somebody"), plain("7"), plain("0d1b7bb5-6dcb")]);
        table.row(vec![plain("李小龙"), plain("12"), plain("")]);
        table
    }

    #[test]
    fn columns_line_up_and_the_widest_is_cut_where_the_terminal_ends() {
        let whole = "NAME                          N   CALL\n\
                     A very long name of somebody  7   0d1b7bb5-6dcb\n\
                     李小龙                        12";
        let output = |width| Output::plain(width);
        assert_eq!(table().text(output(None)), whole);
        let narrow = "NAME          N   CALL\n\
                      A very long…  7   0d1b7bb5-6d…\n\
                      李小龙        12";
        assert_eq!(table().text(output(Some(30))), narrow);
        // Too narrow for anything: it is no reason to fail.
        assert!(table().text(output(Some(1))).contains("A ver…"));
    }

    #[test]
    fn a_wide_letter_is_not_cut_in_half() {
        assert_eq!(cut("李小龙", 4), ("李…".to_owned(), 3));
        assert_eq!(cut("abc", 0), (String::new(), 0));
    }
}
