//! The audit log: rows that are added, read in pages, and go when they are old.

use std::future::poll_fn;
use std::task::Poll;

use convened::store::{AccountId, AuditKey, AuditPage, AuditQuery, AuditRecord};

use crate::Stage;

fn record(account: &AccountId, at: i64, call: usize) -> AuditRecord {
    AuditRecord {
        at,
        account: account.clone(),
        conference_id: "talk".into(),
        request_id: format!("r{at}"),
        token_id: "0badcafe".into(),
        token_name: "Ann's \"desk\" ü".into(),
        client: "2001:db8::1".into(),
        action: if call.is_multiple_of(2) { "mute" } else { "kick" }.into(),
        arguments: r#"{"action": "mute", "x": [1, "ü"]}"#.into(),
        participant_id: Some(call as i64),
        call_id: Some(format!("call-{call}")),
        node: "fs1".into(),
        result: "failed".into(),
        reason: Some("FreeSWITCH answered: no".into()),
    }
}

impl Stage {
    async fn append(&self, records: &[AuditRecord]) {
        self.store.append_audit(records).await.expect("the rows are added");
    }

    async fn audit(&self, query: &AuditQuery) -> AuditPage {
        self.store.audit(&self.account, "talk", query).await.expect("a page")
    }

    /// The records of all pages of that size.
    async fn whole_audit(&self, mut query: AuditQuery) -> Vec<AuditRecord> {
        let mut seen: Vec<(i64, AuditRecord)> = Vec::new();
        loop {
            let page = self.audit(&query).await;
            assert!(page.rows.len() <= query.page_size as usize);
            seen.extend(page.rows);
            assert!(seen.len() < 100_000, "the pages never end");
            match page.next_start_key {
                Some(next) => query.start_key = Some(next),
                None => break,
            }
        }
        let keys: Vec<_> = seen.iter().map(|(id, row)| AuditKey { at: row.at, id: *id }).collect();
        assert!(keys.is_sorted_by(|a, b| a > b), "{keys:?}");
        seen.into_iter().map(|(_, record)| record).collect()
    }
}

pub(crate) async fn what_was_done_is_read_back_newest_first_in_pages_that_meet(stage: &Stage) {
    assert_eq!(stage.audit(&AuditQuery::default()).await, AuditPage::default());
    let mut all = Vec::new();
    // Several of one moment, and one of a clock that was set back.
    for (at, count) in [(1_000, 3), (1_000, 2), (2_000, 1), (1_500, 4)] {
        let some: Vec<_> = (0..count).map(|call| record(&stage.account, at, call)).collect();
        stage.append(&some).await;
        all.extend(some);
    }
    let whole = AuditRecord {
        participant_id: None,
        call_id: None,
        reason: None,
        arguments: "{}".into(),
        ..record(&stage.account, 3_000, 0)
    };
    stage.append(std::slice::from_ref(&whole)).await;
    all.push(whole);
    stage.append(&[]).await;
    all.reverse();
    all.sort_by_key(|record| std::cmp::Reverse(record.at));
    for page_size in [1, 2, 5, 10, 11, 12] {
        let query = AuditQuery { page_size, ..AuditQuery::default() };
        assert_eq!(stage.whole_audit(query).await, all, "pages of {page_size}");
    }
}

pub(crate) async fn rows_are_found_by_action_call_and_time(stage: &Stage) {
    let rows: Vec<_> = (0..10).map(|n| record(&stage.account, 1_000 + n as i64, n % 4)).collect();
    stage.append(&rows).await;
    let find = async |query: AuditQuery| {
        let found = stage.whole_audit(AuditQuery { page_size: 2, ..query }).await;
        found.iter().map(|record| record.at - 1_000).collect::<Vec<_>>()
    };
    let query = AuditQuery::default;
    assert_eq!(find(AuditQuery { action: Some("kick".into()), ..query() }).await, [9, 7, 5, 3, 1]);
    assert_eq!(find(AuditQuery { call_id: Some("call-1".into()), ..query() }).await, [9, 5, 1]);
    assert_eq!(find(AuditQuery { from: Some(1_008), ..query() }).await, [9, 8]);
    assert_eq!(find(AuditQuery { to: Some(1_001), ..query() }).await, [1, 0]);
    let some = AuditQuery { from: Some(1_002), to: Some(1_007), ..query() };
    assert_eq!(find(some.clone()).await, [7, 6, 5, 4, 3, 2]);
    let some = AuditQuery { action: Some("mute".into()), call_id: Some("call-2".into()), ..some };
    assert_eq!(find(some).await, [6, 2]);
    for nothing in ["call-", "CALL-1", "call-1' OR 1=1", "", "call-1\0"] {
        assert_eq!(
            find(AuditQuery { call_id: Some(nothing.into()), ..query() }).await,
            [0; 0],
            "{nothing:?}"
        );
    }
}

pub(crate) async fn a_log_has_no_rows_of_another_account_or_conference(stage: &Stage) {
    let mine = record(&stage.account, 1_000, 1);
    let elsewhere = AuditRecord { conference_id: "talk2".into(), ..mine.clone() };
    stage.append(&[mine.clone(), record(&stage.other, 1_000, 1), elsewhere.clone()]).await;
    assert_eq!(stage.whole_audit(AuditQuery::default()).await, [mine]);
    let theirs = stage.store.audit(&stage.other, "talk", &AuditQuery::default()).await.expect("a page");
    assert!(theirs.rows.iter().all(|(_, row)| row.account == stage.other) && theirs.rows.len() == 1);
    let other = stage.store.audit(&stage.account, "talk2", &AuditQuery::default()).await.expect("a page");
    assert_eq!(other.rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), [elsewhere]);
}

pub(crate) async fn three_thousand_rows_are_added_at_once(stage: &Stage) {
    let rows: Vec<_> = (0..3_000).map(|n| record(&stage.account, 1_000, n)).collect();
    let began = std::time::Instant::now();
    stage.append(&rows).await;
    println!("3,000 rows of the audit log: {:?}", began.elapsed());
    let mut found = stage.whole_audit(AuditQuery { page_size: 500, ..AuditQuery::default() }).await;
    found.reverse();
    assert_eq!(found, rows, "in their order");
}

pub(crate) async fn an_append_that_is_given_up_adds_all_rows_or_none(stage: &Stage) {
    let rows: Vec<_> = (0..1_200).map(|n| record(&stage.account, 1_000, n)).collect();
    for patience in 0..12 {
        let mut append = stage.store.append_audit(&rows);
        let mut polls = 0;
        // Given up after so many polls, wherever it is then.
        poll_fn(|context| {
            polls += 1;
            match append.as_mut().poll(context) {
                Poll::Pending if polls <= patience => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
        drop(append);
        let count = stage.whole_audit(AuditQuery { page_size: 500, ..AuditQuery::default() }).await.len();
        assert_eq!(count % rows.len(), 0, "given up after {patience} polls");
    }
    stage.append(&rows).await;
    let query = AuditQuery { page_size: 500, from: Some(1_000), ..AuditQuery::default() };
    assert!(stage.whole_audit(query).await.len() >= rows.len(), "the next one works");
}

pub(crate) async fn only_what_is_old_goes_and_in_batches(stage: &Stage) {
    let rows: Vec<_> = (0..10).map(|n| record(&stage.account, 1_000 + n as i64, n)).collect();
    stage.append(&rows).await;
    stage.append(&[record(&stage.other, 1_003, 0)]).await;
    let age_out = async |before, limit| stage.store.age_out_audit(before, limit).await.expect("deleted");
    assert_eq!(age_out(1_000, 100).await, 0);
    assert_eq!(age_out(1_007, 4).await, 4);
    assert_eq!(stage.whole_audit(AuditQuery::default()).await.last().map(|row| row.at), Some(1_004));
    assert_eq!((age_out(1_007, 4).await, age_out(1_007, 4).await), (4, 0));
    let left: Vec<_> = stage.whole_audit(AuditQuery::default()).await.iter().map(|row| row.at).collect();
    assert_eq!(left, [1_009, 1_008, 1_007]);
    // The number of a row that went is never given again.
    let newest = stage.audit(&AuditQuery::default()).await.rows[0].0;
    assert_eq!(age_out(9_999, 100).await, 3);
    stage.append(&[record(&stage.account, 1_000, 0)]).await;
    assert!(stage.audit(&AuditQuery::default()).await.rows[0].0 > newest);
}
