//! A strict reader of the OpenMetrics text format, as far as it is used: what is not exactly so is refused.

use std::collections::{BTreeMap, BTreeSet};

/// What is said of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metric {
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
}

type Labels = BTreeMap<String, String>;
type Sample = (String, Labels, f64);
/// Type and samples, by the name in the head.
type Families = BTreeMap<String, (String, Vec<Sample>)>;

/// Everything that was exposed.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) text: String,
    families: Families,
}

fn is_name(name: &str) -> bool {
    let mut letters = name.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// What may stand behind the name of a family.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_sum", "_count"],
        "info" => &["_info"],
        other => panic!("a type that is not known: {other}"),
    }
}

impl Page {
    pub(crate) fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("it ends with EOF");
        let mut families = Families::new();
        let mut helped = None;
        let mut current = String::new();
        let mut seen = BTreeSet::new();
        for line in body.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').expect("words");
                assert!(is_name(name) && !words.is_empty() && helped.is_none(), "{line}");
                helped = Some(name.to_owned());
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type");
                assert_eq!(helped.take().as_deref(), Some(name), "the help comes first");
                suffixes(kind);
                assert!(!name.ends_with("_total"), "{line}");
                let is_new = families.insert(name.to_owned(), (kind.to_owned(), Vec::new())).is_none();
                assert!(is_new, "{name} comes twice");
                current = name.to_owned();
            } else {
                assert!(helped.is_none(), "a sample before its type: {line}");
                let (name, labels, value) = sample(line);
                let (kind, samples) = families.get_mut(&current).expect("a family");
                let suffix = name.strip_prefix(&current).unwrap_or_else(|| panic!("{line} is in {current}"));
                assert!(suffixes(kind).contains(&suffix), "{line} is of {current}, a {kind}");
                assert!(seen.insert((name.clone(), labels.clone())), "twice: {line}");
                samples.push((name, labels, value));
            }
        }
        for (name, (kind, samples)) in &families {
            if kind == "histogram" {
                check_histogram(name, samples);
            }
        }
        Self { text: text.to_owned(), families }
    }

    /// The metrics by the name of their samples, without what a histogram adds.
    pub(crate) fn metrics(&self) -> BTreeMap<String, Metric> {
        let metric = |(name, (kind, samples)): (&String, &(String, Vec<Sample>))| {
            assert!(!samples.is_empty(), "{name} has no sample in this test");
            let labels = samples.iter().flat_map(|(_, labels, _)| labels.keys().cloned());
            let labels = labels.filter(|label| label != "le").collect();
            let suffix = if kind == "histogram" { "" } else { suffixes(kind)[0] };
            (format!("{name}{suffix}"), Metric { kind: kind.clone(), labels })
        };
        self.families.iter().map(metric).collect()
    }

    /// The value of the only sample with these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let samples = self.families.values().flat_map(|(_, samples)| samples);
        let mut found = samples.filter(|(of, its, _)| of == name && *its == labels);
        found.next().unwrap_or_else(|| panic!("no {name} {labels:?} in {}", self.text)).2
    }
}

/// Buckets grow, the last one is infinite and has as many as were counted.
fn check_histogram(name: &str, samples: &[Sample]) {
    let mut series: BTreeMap<Labels, Vec<(f64, f64)>> = BTreeMap::new();
    for (of, labels, value) in samples.iter().filter(|(of, ..)| of.ends_with("_bucket")) {
        let mut labels = labels.clone();
        let le = labels.remove("le").unwrap_or_else(|| panic!("{of} has no le"));
        let le = if le == "+Inf" { f64::INFINITY } else { le.parse().unwrap() };
        series.entry(labels).or_default().push((le, *value));
    }
    assert!(!series.is_empty(), "{name} has no bucket");
    for (labels, buckets) in series {
        assert!(
            buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1),
            "{buckets:?}"
        );
        let last = buckets.last().unwrap();
        let count = samples.iter().find(|(of, its, _)| of.ends_with("_count") && *its == labels).unwrap().2;
        assert_eq!((last.0, last.1), (f64::INFINITY, count), "{name} {labels:?}");
    }
}

/// sample = name [ "{" label *( "," label ) "}" ] SP number
fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    if let Some(inner) = rest.strip_prefix('{') {
        let mut inner = inner;
        loop {
            let (key, behind) = inner.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(is_name(key), "{line}");
            let (value, behind) = quoted(behind).unwrap_or_else(|| panic!("no end: {line}"));
            assert!(labels.insert(key.to_owned(), value).is_none(), "a label twice: {line}");
            match behind.strip_prefix(',') {
                Some(next) => inner = next,
                None => {
                    rest = behind.strip_prefix('}').unwrap_or_else(|| panic!("no brace: {line}"));
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no space: {line}"));
    assert!(!value.contains(' '), "{line}");
    (name.to_owned(), labels, value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
}

/// What stands before the next quotation mark, and what stands behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                same @ ('"' | '\\') => same,
                _ => return None,
            }),
            other => value.push(other),
        }
    }
    None
}

/// The metrics that an expression of PromQL names.
pub(crate) fn names_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("convened_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The labels that it names: in braces, and behind `by`.
pub(crate) fn labels_in(expression: &str) -> BTreeSet<String> {
    let braces = expression.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let matched = braces.flat_map(|inner| inner.split(',')).filter_map(|pair| pair.split(['=', '!']).next());
    let lists = expression.split(" by (").skip(1).filter_map(|rest| rest.split(')').next());
    let grouped = lists.flat_map(|inner| inner.split(','));
    matched.chain(grouped).map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()).collect()
}
