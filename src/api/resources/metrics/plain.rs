//! The older text format of Prometheus (`text/plain; version=0.0.4`), for whoever asks for that and not for OpenMetrics.
//!
//! Between the two, of what is used here, the heads differ: of a counter its name in OpenMetrics has no `_total`, there
//! is a type for information, and an end.

/// Whether a header `Accept` wants the older format: it names its media type, and not OpenMetrics'.
pub(super) fn is_wanted(accepted: &[&str]) -> bool {
    let names = |list: &str, kind: &str| {
        list.split(',')
            .any(|range| range.split(';').next().is_some_and(|named| named.trim().eq_ignore_ascii_case(kind)))
    };
    accepted.iter().any(|list| names(list, "text/plain"))
        && !accepted.iter().any(|list| names(list, "application/openmetrics-text"))
}

/// A page in OpenMetrics in the older format.
pub(super) fn of_open_metrics(page: &str) -> String {
    let mut plain = String::with_capacity(page.len());
    // The help of a metric comes before its type, which tells how it is called.
    let mut help = None;
    for line in page.lines() {
        if let Some(words) = line.strip_prefix("# HELP ") {
            help = words.split_once(' ').map(|(_, words)| words);
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|type_of| type_of.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some(words) = help.take() {
                plain.push_str(&format!("# HELP {name}{suffix} {words}\n"));
            }
            plain.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
        } else if line != "# EOF" {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_for_who_names_it_and_not_openmetrics() {
        assert!(
            is_wanted(&["text/plain;version=0.0.4;q=0.5, */*;q=0.1"]) && is_wanted(&["*/*", "Text/Plain"])
        );
        for other in [&[][..], &["*/*"], &["text/*"], &["text/plain;q=0.4, application/openmetrics-text"]] {
            assert!(!is_wanted(other), "{other:?}");
        }
        assert!(!is_wanted(&["text/plain", "application/openmetrics-text; version=1.0.0"]));
    }

    #[test]
    fn heads_are_those_of_the_older_format_and_samples_are_the_same() {
        let page = "# HELP a How many.\n# TYPE a counter\na_total{x=\"# EOF\"} 1\n# HELP b Which.\n# TYPE b info\n\
                    b_info{v=\"1\"} 1\n# HELP c Now.\n# TYPE c gauge\nc 2\n# EOF\n";
        let expected = "# HELP a_total How many.\n# TYPE a_total counter\na_total{x=\"# EOF\"} 1\n\
                        # HELP b_info Which.\n# TYPE b_info gauge\nb_info{v=\"1\"} 1\n# HELP c Now.\n# TYPE c gauge\nc 2\n";
        assert_eq!(of_open_metrics(page), expected);
    }
}
