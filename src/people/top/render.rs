//! The picture of a moment. Only rows that are seen are made.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row, Table};

use super::keys::HELP;
use super::state::{Link, Pane, State};
use crate::client::Room;
use crate::people::output::{count, span};

/// Below this there is one table only: the one that keys are for.
const BOTH_FROM: u16 = 10;

/// Below this many columns, what is needed least is left out.
const WIDE: u16 = 60;

/// Draws it as of `now_s`, seconds since 1970.
pub(super) fn render(frame: &mut Frame<'_>, state: &mut State, now_s: u64) {
    state.settle();
    let [head, body, said, help] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(heading(state), head);
    if body.height >= BOTH_FROM {
        let half = Layout::vertical([Constraint::Percentage(50), Constraint::Length(1), Constraint::Min(0)]);
        let [upper, _, lower] = half.areas(body);
        conferences(frame, upper, state, now_s);
        people(frame, lower, state, now_s);
    } else {
        match state.pane {
            Pane::Conferences => conferences(frame, body, state, now_s),
            Pane::People => people(frame, body, state, now_s),
        }
    }
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let line = match state.question() {
        Some(question) => Line::styled(question, toned(state, Color::Yellow).patch(bold)),
        None => Line::raw(state.said.clone()),
    };
    frame.render_widget(line, said);
    frame.render_widget(Line::styled(HELP, Style::new().add_modifier(Modifier::DIM)), help);
}

fn heading(state: &State) -> Line<'_> {
    let sum = format!(
        "  {}, {}  ",
        count(state.order().len(), "conference"),
        count(state.people_count(), "participant"),
    );
    let link = match &state.link {
        Link::Up => Line::raw(""),
        Link::Connecting => Line::styled("connecting ...", toned(state, Color::Yellow)),
        Link::Lost(why) => Line::styled(
            format!("the connection is lost, this is old: {}", crate::client::clean(why)),
            toned(state, Color::Red).add_modifier(Modifier::BOLD),
        ),
    };
    let mut line = Line::styled(state.title.as_str(), Style::new().add_modifier(Modifier::BOLD));
    line.push_span(sum);
    line.spans.extend(link.spans.into_iter().map(|span| span.patch_style(link.style)));
    line
}

fn toned(state: &State, colour: Color) -> Style {
    if state.colours { Style::new().fg(colour) } else { Style::new() }
}

/// The rows that are seen of so many, with that one in the middle if there is room.
fn seen(count: usize, row: usize, height: u16) -> Range<usize> {
    let height = usize::from(height);
    let first = row.saturating_sub(height / 2).min(count.saturating_sub(height));
    first..count.min(first + height)
}

/// Rows below the header.
fn room_for_rows(area: Rect) -> u16 {
    area.height.saturating_sub(1)
}

fn header(cells: &[&'static str], is_active: bool) -> Row<'static> {
    let style = if is_active { Modifier::UNDERLINED | Modifier::BOLD } else { Modifier::DIM };
    Row::new(cells.iter().copied().map(Cell::from)).style(Style::new().add_modifier(style))
}

fn marked(is_marked: bool, is_active: bool) -> Style {
    match (is_marked, is_active) {
        (true, true) => Style::new().add_modifier(Modifier::REVERSED),
        (true, false) => Style::new().add_modifier(Modifier::BOLD),
        (false, _) => Style::new(),
    }
}

fn conferences(frame: &mut Frame<'_>, area: Rect, state: &State, now_s: u64) {
    let is_active = state.pane == Pane::Conferences;
    let marked_row = state.row();
    let rows = seen(state.order().len(), state.conference_row(), room_for_rows(area)).filter_map(|row| {
        let id = state.order().get(row)?;
        let room = state.room(id)?;
        let talking = Cell::from(talkers(room)).style(toned(state, Color::Green));
        let cells = [
            Cell::from(if marked_row == Some(row) { ">" } else { "" }),
            Cell::from(state.name_of(id)),
            Cell::from(room.values().map(|instance| instance.people.len()).sum::<usize>().to_string()),
            Cell::from(condition(room)).style(toned(state, Color::Yellow)),
            Cell::from(began(room).map(|began| span(now_s.saturating_sub(began))).unwrap_or_default()),
            talking,
        ];
        Some(Row::new(cells).style(marked(marked_row == Some(row), is_active)))
    });
    let is_wide = area.width >= WIDE;
    let widths = [
        Constraint::Length(1),
        Constraint::Fill(2),
        Constraint::Length(6),
        Constraint::Length(if is_wide { 12 } else { 6 }),
        Constraint::Length(if is_wide { 11 } else { 0 }),
        Constraint::Fill(if is_wide { 3 } else { 1 }),
    ];
    let head = header(&["", "CONFERENCE", "PEOPLE", "STATE", "FOR", "TALKING"], is_active);
    frame.render_widget(Table::new(rows, widths).header(head), area);
}

fn condition(room: &Room) -> &'static str {
    match room {
        room if room.values().any(|instance| instance.stale) => "out of reach",
        room if room.values().any(|instance| instance.locked) => "locked",
        _ => "",
    }
}

fn began(room: &Room) -> Option<u64> {
    room.values().map(|instance| instance.began_s).min()
}

/// Who talks; more than a few are not read anyway.
fn talkers(room: &Room) -> String {
    let people = room.values().flat_map(|instance| instance.people.values());
    let talking = people.filter(|(one, _)| one.talking).take(8);
    talking.map(|(one, _)| one.title()).collect::<Vec<_>>().join(", ")
}

fn people(frame: &mut Frame<'_>, area: Rect, state: &State, now_s: u64) {
    let is_active = state.pane == Pane::People;
    let all = state.people();
    let rows = seen(all.len(), state.person_row(), room_for_rows(area)).filter_map(|row| {
        let person = all.get(row)?;
        let one = person.participant;
        let is_marked = state.is_marked(person);
        let style = match one {
            one if one.talking => toned(state, Color::Green),
            one if one.speak && one.hear => Style::new(),
            _ => toned(state, Color::Yellow),
        };
        let cells = [
            Cell::from(if is_marked { ">" } else { "" }),
            Cell::from(if one.talking { "●" } else { "" }).style(style),
            Cell::from(one.participant_id.to_string()),
            Cell::from(one.title()),
            Cell::from(crate::client::clean(&one.caller_id_number)),
            Cell::from(one.marks()).style(style),
            Cell::from(span(now_s.saturating_sub(person.came_s))),
        ];
        Some(Row::new(cells).style(marked(is_marked, is_active)))
    });
    let is_wide = area.width >= WIDE;
    let widths = [
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(5),
        Constraint::Fill(2),
        if is_wide { Constraint::Fill(1) } else { Constraint::Length(0) },
        Constraint::Fill(if is_wide { 2 } else { 1 }),
        Constraint::Length(if is_wide { 11 } else { 0 }),
    ];
    let head = header(&["", "", "ID", "NAME", "NUMBER", "STATE", "FOR"], is_active);
    frame.render_widget(Table::new(rows, widths).header(head), area);
}

#[cfg(test)]
mod tests;
