//! What was answered 200 survives `kill -9` at any moment: the call and its
//! recording still arrive, once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::calltouch::hook;
use crate::client::Client;
use crate::doubles::{API_KEY, Double, KEY, SALT, SITE};
use crate::fixtures::{model, scripted_mono};
use crate::mango::{added, event, summary};
use crate::process::Process;

const KILLS: u32 = 12;
/// Conversations told before each kill, by each of two systems, at most.
const EACH: u32 = 8;
const SECRET: &str = "webhook-secret-0123456789";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_200_arrives_though_the_server_is_killed() {
    let (mango, calltouch) = (Double::mango().await, Double::calltouch().await);
    for number in 0..KILLS * EACH {
        mango.with(|state| {
            state
                .recordings
                .insert(format!("rec-{number}"), scripted_mono(number))
        });
        calltouch.with(|state| {
            state
                .recordings
                .insert(format!("ct{number}"), scripted_mono(5_000 + number))
        });
    }
    let sections = format!(
        "[mango]\napi_key = \"{KEY}\"\napi_salt = \"{SALT}\"\napi_url = \"{}/vpbx\"\nretry_s = 1\n[calltouch]\napi_url = \"{}\"\nwebhook_secret = \"{SECRET}\"\nretry_s = 1\n[[calltouch.site]]\nid = \"{SITE}\"\napi_key = \"{API_KEY}\"\n",
        mango.base, calltouch.base
    );
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("store");
    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    let mut password = None;
    let mut killed_at_work = 0;
    for kill in 0..KILLS {
        let process = Process::start_with(&data, &model(), &sections);
        password = password.or(process.first_password.clone());
        let client = Client::anonymous(&process.base);
        let senders: Vec<_> = (0..EACH)
            .flat_map(|number| [(false, kill * EACH + number), (true, kill * EACH + number)])
            .map(|(by_calltouch, number)| {
                let (client, acknowledged) = (client.clone(), Arc::clone(&acknowledged));
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(u64::from(number % EACH) * 12)).await;
                    let phone = format!("7916{:07}", number + u32::from(by_calltouch) * 100_000);
                    let (id, sent) = if by_calltouch {
                        let id = format!("ct{number}");
                        let fields = [
                            ("id", id.as_str()),
                            ("record", "1"),
                            ("callerphone", &phone),
                        ];
                        let url = client.url(&format!("/calltouch/webhook/{SECRET}"));
                        let sent = client.http.get(url).query(&fields).send().await;
                        (id.clone(), sent.is_ok_and(|answer| answer.status() == 200))
                    } else {
                        let id = format!("rec-{number}");
                        let told =
                            try_event(&client, "summary", &summary(&format!("e-{number}"), &phone))
                                .await;
                        let there = told
                            && try_event(
                                &client,
                                "record/added",
                                &added(&format!("e-{number}"), &id),
                            )
                            .await;
                        (id, there)
                    };
                    if sent {
                        acknowledged.lock().expect("the set").insert(id);
                    }
                    sent
                })
            })
            .collect();
        // At another moment each time: before, while and after they send and download.
        let late = if kill % 4 == 3 { 1_300 } else { 0 };
        tokio::time::sleep(Duration::from_millis(
            10 + late + u64::from(kill * 37 % 260),
        ))
        .await;
        process.kill();
        for sender in senders {
            if !sender.await.expect("a sender") {
                killed_at_work += 1;
            }
        }
    }
    let acknowledged = acknowledged.lock().expect("the set").clone();
    let process = Process::start_with(&data, &model(), &sections);
    let admin = process.admin(&password.expect("the first password")).await;
    let end = Instant::now() + Duration::from_secs(120);
    let mut found = BTreeSet::new();
    for id in &acknowledged {
        loop {
            let list = admin.results(&[("external_id", id)]).await;
            if list["total"] == 1 {
                found.insert(id.clone());
                break;
            }
            assert_eq!(list["total"], 0, "{id} is there twice: {list}");
            assert!(
                Instant::now() < end,
                "{id} was acknowledged and is not there; {}",
                process.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    println!(
        "kills: {KILLS}, acknowledged: {}, found: {}, not acknowledged: {killed_at_work}",
        acknowledged.len(),
        found.len()
    );
    assert!(
        acknowledged.len() > 20,
        "too few were acknowledged to mean anything: {}",
        acknowledged.len()
    );
    assert!(killed_at_work > 0, "no kill came while something was sent");
    // Once each, and all of it with what was told of it.
    let all = admin.results(&[("page_size", "200")]).await;
    let items = all["items"].as_array().expect("items");
    assert!(
        items.iter().all(|call| call["caller"]
            .as_str()
            .is_some_and(|caller| caller.starts_with("7916"))),
        "{all}"
    );
    assert!(
        !process.log().contains(SALT)
            && !process.log().contains(API_KEY)
            && !process.log().contains(SECRET)
    );
    let probe = [("id", "probe")];
    assert_eq!(hook(&admin, SECRET, &probe).await, 200);
    assert_eq!(
        event(&admin, "summary", &summary("probe", "79160000000")).await,
        200
    );
    mango.assert_clean();
    calltouch.assert_clean();
}

async fn try_event(client: &Client, kind: &str, message: &serde_json::Value) -> bool {
    let json = message.to_string();
    let form = [
        ("vpbx_api_key", KEY),
        ("sign", &crate::doubles::sign(&json)),
        ("json", &json),
    ];
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let url = client.url(&format!("/mango/events/{kind}"));
    let sent = client.http.post(url).body(body).send().await;
    sent.is_ok_and(|answer| answer.status() == 200)
}
