//! Lists: pages, filters, owners.

use convened::documents::{Condition, Document};
use convened::store::DocumentQuery;
use serde_json::json;

use crate::Stage;

impl Stage {
    async fn list(&self, query: &DocumentQuery) -> (Vec<Document>, Option<String>) {
        let page = self.documents.list(&self.account, query).await.expect("a list");
        (page.documents, page.next_start_key)
    }

    async fn create_some(&self, count: usize) -> Vec<Document> {
        let mut made = Vec::new();
        for n in 0..count {
            made.push(self.create(json!({"custom": n})).await);
        }
        made.sort_by(|a, b| a.id.cmp(&b.id));
        made
    }
}

pub(crate) async fn pages_come_in_order_of_ids_and_meet_without_gap(stage: &Stage) {
    assert_eq!(stage.list(&DocumentQuery::default()).await, (vec![], None));
    let made = stage.create_some(23).await;
    assert_eq!(stage.list(&DocumentQuery::default()).await, (made.clone(), None));
    for page_size in [1, 5, 22, 23, 24] {
        let mut seen = Vec::new();
        let mut query = DocumentQuery { page_size, ..DocumentQuery::default() };
        loop {
            let (documents, next) = stage.list(&query).await;
            assert!(documents.len() <= page_size as usize);
            seen.extend(documents);
            // No next page means none, not an empty one.
            assert_eq!(next.is_none(), seen.len() == made.len());
            match next {
                Some(next) => query.start_key = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, made, "pages of {page_size}");
    }
}

pub(crate) async fn a_page_goes_on_where_a_deleted_document_was(stage: &Stage) {
    let made = stage.create_some(6).await;
    let (_, next) = stage.list(&DocumentQuery { page_size: 3, ..DocumentQuery::default() }).await;
    assert_eq!(next.as_ref(), Some(&made[3].id));
    let free = Condition::default();
    stage.documents.delete(&stage.account, &made[3].id, &free).await.expect("deleted");
    let query = DocumentQuery { page_size: 3, start_key: next, ..DocumentQuery::default() };
    assert_eq!(stage.list(&query).await, (made[4..].to_vec(), None));
}

pub(crate) async fn a_page_of_large_documents_is_short_and_the_next_one_goes_on(stage: &Stage) {
    let mut made = Vec::new();
    for n in 0..24 {
        made.push(stage.create(json!({"custom": [n, "x".repeat(120_000)]})).await.id);
    }
    made.sort();
    let mut query = DocumentQuery { page_size: 500, ..DocumentQuery::default() };
    let mut pages = Vec::new();
    loop {
        let (documents, next) = stage.list(&query).await;
        pages.push(documents.into_iter().map(|document| document.id).collect::<Vec<_>>());
        match next {
            Some(next) => query.start_key = Some(next),
            None => break,
        }
    }
    assert!(pages.len() > 1 && pages.iter().all(|page| (1..24).contains(&page.len())), "{pages:?}");
    assert_eq!(pages.concat(), made);
}

pub(crate) async fn documents_are_found_by_name_and_owner(stage: &Stage) {
    let owner = |c: &str| c.repeat(32);
    let free = Condition::default();
    let mut made = Vec::new();
    for (name, who) in [("a", "1"), ("a", "2"), ("b", "1"), ("A", "1"), ("a", "1")] {
        made.push(stage.create(json!({"name": name, "owner_id": owner(who)})).await);
    }
    stage.create(json!({})).await;
    let find = async |name: Option<&str>, who: Option<&str>| {
        let query = DocumentQuery {
            name: name.map(str::to_owned),
            owner_id: who.map(owner),
            page_size: 50,
            ..DocumentQuery::default()
        };
        stage.list(&query).await.0
    };
    let expected = |which: &[usize]| {
        let mut some: Vec<_> = which.iter().map(|n| made[*n].clone()).collect();
        some.sort_by(|a, b| a.id.cmp(&b.id));
        some
    };
    assert_eq!(find(Some("a"), None).await, expected(&[0, 1, 4]));
    assert_eq!(find(None, Some("1")).await, expected(&[0, 2, 3, 4]));
    assert_eq!(find(Some("a"), Some("1")).await, expected(&[0, 4]));
    assert_eq!(find(Some("c"), None).await, vec![]);
    assert_eq!(find(Some(""), None).await, vec![]);
    stage.documents.patch(&stage.account, &made[2].id, json!({"name": "c"}), &free).await.expect("renamed");
    assert_eq!(find(Some("b"), None).await, vec![]);
    assert_eq!(find(Some("c"), None).await.len(), 1);
    let query = DocumentQuery { name: Some("a".into()), page_size: 2, ..DocumentQuery::default() };
    let (first, next) = stage.list(&query).await;
    let (rest, end) = stage.list(&DocumentQuery { start_key: next, ..query }).await;
    assert_eq!(([first, rest].concat(), end), (expected(&[0, 1, 4]), None));
}

pub(crate) async fn an_accounts_list_has_no_others_documents(stage: &Stage) {
    let mine = stage.create(json!({"name": "same"})).await;
    let theirs = stage.documents.create(&stage.other, json!({"name": "same"})).await.expect("made");
    for name in [None, Some("same".to_owned())] {
        let query = DocumentQuery { name, ..DocumentQuery::default() };
        assert_eq!(stage.list(&query).await.0, vec![mine.clone()]);
        let page = stage.documents.list(&stage.other, &query).await.expect("a list");
        assert_eq!(page.documents, vec![theirs.clone()]);
    }
}

pub(crate) async fn owners_are_told_for_documents_of_any_account(stage: &Stage) {
    let mine = stage.create(json!({})).await;
    let theirs = stage.documents.create(&stage.other, json!({})).await.expect("made");
    // More than a statement may have parameters, and names that callers choose.
    let mut ids: Vec<String> = (0..40_000).map(|n| format!("room {n} \"'\\\u{0}é")).collect();
    ids.extend([mine.id.clone(), theirs.id.clone(), mine.id.clone()]);
    let owners = stage.documents.owners_of(&ids).await.expect("owners");
    let mut owners: Vec<_> = owners.into_iter().collect();
    owners.sort();
    let mut expected = vec![(mine.id, stage.account.clone()), (theirs.id, stage.other.clone())];
    expected.sort();
    assert_eq!(owners, expected);
    assert!(stage.documents.owners_of(&[]).await.expect("none").is_empty());
}
