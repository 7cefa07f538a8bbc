//! The command that makes a call: one line with the meaning that was asked for, or none.

use convened::sim::world::Caller;
use serde_json::json;

use crate::arguments::HOSTILE;
use crate::client::text;
use crate::dial::{Office, accepted};
use crate::house::ACCOUNT;

#[tokio::test]
async fn what_is_sent_is_one_line_with_the_meaning_that_was_asked_for() {
    let office = Office::open().await;
    let asked = json!({
        "endpoints": ["sip:ann@Example.com:5080"], "caller_id_name": "Zoë (Board)", "caller_id_number": "+4930",
        "participant_flags": ["distribute_dtmf", "ghost"], "timeout": 7, "target_call_id": "x;y",
    });
    let result = accepted(&office.dial(asked).await)["results"][0].clone();
    let (id, call) = (text(&result["id"]), text(&result["call_id"]));
    let event = format!("event:Event-Name=CUSTOM,Event-Subclass=convened::dial,Dial-ID={id}");
    let line = format!(
        "bgapi originate {{^^;origination_uuid={call};origination_caller_id_name='Zoë (Board)';\
         origination_caller_id_number=+4930;origination_callee_id_name=sip:ann@example.com:5080;\
         ignore_early_media=true;originate_timeout=7;conference_enforce_security=false;confvar_account_id={ACCOUNT};account_id={ACCOUNT};\
         presence_data_cols=account_id;execute_on_ring={event};execute_on_pre_answer={event}}}\
         sofia/internal/sip:ann@example.com:5080 &conference({}@wide+flags{{dist-dtmf|ghost}})\nJob-UUID: {id}",
        office.room
    );
    assert_eq!(office.sent(), [line]);
    let plain = json!({ "endpoints": ["+4930123"], "profile_name": "other" });
    accepted(&office.dial(plain).await);
    let last = office.sent()[1].clone();
    let end = format!("}}sofia/gateway/carrier/+4930123 &conference({}@other)\nJob-UUID: ", office.room);
    assert!(last.contains(&end) && !last.contains("caller_id"), "{last}");
}

#[tokio::test]
async fn nothing_hostile_reaches_a_switch() {
    let office = Office::open().await;
    let more =
        ["a,b", "a=b", "a:_:b", "x}sofia/internal/y", "1 &park()", "a)b", "a+flags{moderator}", "^^,a"];
    for text in HOSTILE.into_iter().chain(more) {
        for data in [
            json!({ "endpoints": [text] }),
            json!({ "endpoints": [format!("sip:{text}@example.com")] }),
            json!({ "endpoints": [format!("sip:ann@{text}")] }),
            json!({ "endpoints": ["sip:ann@example.com", text] }),
            json!({ "endpoints": ["1"], "caller_id_number": text }),
            json!({ "endpoints": ["1"], "participant_flags": [text] }),
        ] {
            office.dial(data).await.refused(400, "validation_error");
        }
    }
    // Of a name more is allowed, and nothing that ends its quotes or its variable.
    for text in HOSTILE.into_iter().filter(|text| *text != "../../etc/passwd") {
        office
            .dial(json!({ "endpoints": ["1"], "caller_id_name": text }))
            .await
            .refused(400, "validation_error");
    }
    assert_eq!(office.sent(), Vec::<String>::new());
    // What cannot be a profile is passed over; it is not sent either.
    for text in HOSTILE {
        accepted(&office.dial(json!({ "endpoints": ["1"], "profile_name": text })).await);
    }
    for line in office.sent() {
        assert!(line.contains(&format!("/1 &conference({}@wide)\nJob-UUID: ", office.room)), "{line}");
        assert_eq!(line.lines().count(), 2, "{line}");
    }
}

#[tokio::test]
async fn a_room_whose_name_cannot_be_said_is_not_dialled() {
    let office = Office::open().await;
    for room in ["a+b", "a(b", "a,b", "a:b", "a{b"] {
        let caller = Caller::new("Ann", "1").variable("confvar_account_id", ACCOUNT);
        office.house.enter(room, caller).await;
        let path = room.replace('{', "%7B");
        let refused =
            office.dial_into(&path, json!({ "endpoints": ["1"] })).await.refused(502, "switch_error");
        assert_eq!(refused["reply"], "unaddressable", "{room}");
    }
    assert_eq!(office.sent(), Vec::<String>::new());
}
