//! The list of calls: search, filters, order, pages, averages.

use serde_json::{Value, json};

use crate::client::{Client, file};
use crate::fixtures::{bytes, ffmpeg, scripted_call, scripted_mono, tones};
use crate::server::{Server, Setup};

/// File names of a list, in its order.
async fn names(client: &Client, query: &[(&str, &str)]) -> Vec<String> {
    let list = client.results(query).await;
    let items = list["items"].as_array().expect("items");
    assert_eq!(
        list["total"].as_u64(),
        Some(items.len() as u64),
        "{query:?}"
    );
    items
        .iter()
        .map(|call| call["filename"].as_str().expect("a name").to_owned())
        .collect()
}

async fn sorted_names(client: &Client, query: &[(&str, &str)]) -> Vec<String> {
    let mut names = names(client, query).await;
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn search_finds_word_forms_names_and_operators() {
    let server = Server::start(&Setup::scripted()).await;
    let a = server
        .accepted(
            "Отчёт 17.wav",
            scripted_call(1),
            &[("operator_name", "Алёна Королёва")],
        )
        .await;
    let b = server
        .accepted(
            "silent.wav",
            scripted_call(2),
            &[("language", "nn"), ("operator_name", "Пётр")],
        )
        .await;
    server.completed(&a).await;
    assert_eq!(server.finished(&b).await, "no_speech");
    let mut faults = Vec::new();
    for query in [
        "заказ",
        "заказы",
        "ЗАКАЗАМИ",
        "ромашке",
        "добрый",
        "компаниями",
        "\"компания ромашка\"",
        "«компании ромашки»",
        "где заказ",
        "алёна",
        "Алена",
        "королёв",
        "королев",
        "отчёт",
        "отчет",
        "17",
        "отч",
        "заказ алёна",
    ] {
        let found = names(&server, &[("q", query)]).await;
        if found != ["Отчёт 17.wav"] {
            faults.push(format!("{query} finds {found:?}"));
        }
    }
    for query in ["пётр", "петр", "silent"] {
        let found = names(&server, &[("q", query)]).await;
        if found != ["silent.wav"] {
            faults.push(format!("{query} finds {found:?}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for query in [
        "жираф",
        "\"ромашка компания\"",
        "заказ пётр",
        "silent заказ",
    ] {
        assert_eq!(names(&server, &[("q", query)]).await, [""; 0], "{query}");
    }
    for query in ["", "   ", "***", "\"", "()[]{}^$.*+?|\\", "-", "AND OR"] {
        let total = server.results(&[("q", query)]).await["total"].as_u64();
        assert!(
            total == Some(2) || query == "AND OR",
            "{query:?}: {total:?}"
        );
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_is_derived() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server.accepted("a.wav", scripted_call(1), &[]).await;
    server.completed(&id).await;
    let data = server.data_dir();
    let (dir, password) = server.stop().await;
    std::fs::remove_dir_all(data.join("index")).expect("there was an index");
    let server = Server::start_in(dir, Some(password), &Setup::scripted()).await;
    assert_eq!(
        server.results(&[("q", "заказы")]).await["total"],
        1,
        "made anew"
    );
    let (dir, password) = server.stop().await;
    std::fs::write(data.join("index/meta.json"), "nonsense").expect("written");
    let server = Server::start_in(dir, Some(password), &Setup::scripted()).await;
    assert_eq!(
        server.results(&[("q", "заказы")]).await["total"],
        1,
        "a damaged one is made anew"
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_failed_are_found_too() {
    let server = Server::start(&Setup::scripted()).await;
    let slow = server
        .accepted("slow one.wav", scripted_call(1), &[("language", "sl")])
        .await;
    let queued = server
        .accepted(
            "queued one.wav",
            scripted_call(2),
            &[("operator_name", "Ольга")],
        )
        .await;
    server.transcribing(&slow).await;
    for (query, name) in [
        ("slow", "slow one.wav"),
        ("queued", "queued one.wav"),
        ("ольга", "queued one.wav"),
    ] {
        assert_eq!(
            names(&server, &[("q", query)]).await,
            [name],
            "{query}: while it is worked on"
        );
    }
    for id in [&slow, &queued] {
        let (status, _) = server.post(&format!("/results/{id}/cancel")).await;
        assert_eq!(status, 200);
    }
    for (query, name) in [
        ("slow", "slow one.wav"),
        ("queued", "queued one.wav"),
        ("ольга", "queued one.wav"),
    ] {
        assert_eq!(
            names(&server, &[("q", query)]).await,
            [name],
            "{query}: cancelled"
        );
    }
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_order_pages_and_averages() {
    let server = Server::start(&Setup::scripted()).await;
    let stereo = server
        .accepted(
            "c stereo.wav",
            scripted_call(1),
            &[("operator_name", "Ольга")],
        )
        .await;
    let swapped = server
        .accepted(
            "B swapped.wav",
            scripted_call(2),
            &[("operator_name", "Анна")],
        )
        .await;
    let long = server
        .accepted("a long.wav", tones(20.0, 8000, &[300.0, 600.0]), &[])
        .await;
    let silent = server
        .accepted(
            "d silent.wav",
            scripted_mono(4),
            &[("language", "nn"), ("operator_name", "Ольга")],
        )
        .await;
    for id in [&stereo, &swapped, &long] {
        server.completed(id).await;
    }
    assert_eq!(server.finished(&silent).await, "no_speech");
    server.patch(&swapped, json!({"swap_speakers": true})).await;
    let score = |id: String| {
        let server = &server;
        async move {
            server.result(&id).await["call"]["overall_percent"]
                .as_f64()
                .expect("a score")
        }
    };
    let (high, low) = (score(stereo.clone()).await, score(swapped.clone()).await);
    assert!(high != low, "{high} {low}");
    let scores = [high, low, score(long.clone()).await];

    let all = [
        "B swapped.wav",
        "a long.wav",
        "c stereo.wav",
        "d silent.wav",
    ];
    assert_eq!(sorted_names(&server, &[]).await, all);
    assert_eq!(
        names(&server, &[]).await,
        [
            "d silent.wav",
            "a long.wav",
            "B swapped.wav",
            "c stereo.wav"
        ],
        "newest first"
    );
    assert_eq!(
        names(&server, &[("sort", "created_at")]).await,
        [
            "c stereo.wav",
            "B swapped.wav",
            "a long.wav",
            "d silent.wav"
        ]
    );
    assert_eq!(
        names(&server, &[("sort", "filename")]).await,
        [
            "a long.wav",
            "B swapped.wav",
            "c stereo.wav",
            "d silent.wav"
        ]
    );
    assert_eq!(
        names(&server, &[("sort", "-duration")]).await[0],
        "a long.wav"
    );
    assert_eq!(
        names(&server, &[("sort", "operator")]).await[0],
        "B swapped.wav"
    );
    for sort in ["operator", "-operator"] {
        assert_eq!(
            names(&server, &[("sort", sort)]).await[3],
            "a long.wav",
            "{sort}: without a value last"
        );
    }
    for sort in [
        "score",
        "-score",
        "criterion:standards",
        "-criterion:standards",
    ] {
        assert_eq!(
            names(&server, &[("sort", sort)]).await[3],
            "d silent.wav",
            "{sort}: without a value last"
        );
    }
    let by_score = server.results(&[("sort", "-score")]).await;
    let found: Vec<f64> = by_score["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|call| call["overall_percent"].as_f64())
        .collect();
    assert!(
        found.len() == 3 && found.is_sorted_by(|a, b| a >= b),
        "{found:?}"
    );

    assert_eq!(
        sorted_names(&server, &[("operator", "Ольга")]).await,
        ["c stereo.wav", "d silent.wav"]
    );
    assert_eq!(
        names(&server, &[("duration_min", "15")]).await,
        ["a long.wav"]
    );
    assert_eq!(names(&server, &[("duration_max", "15")]).await.len(), 3);
    assert_eq!(
        names(&server, &[("status", "no_speech")]).await,
        ["d silent.wav"]
    );
    assert_eq!(
        names(&server, &[("status", "no_speech,completed")])
            .await
            .len(),
        4
    );
    assert_eq!(names(&server, &[("status", "failed")]).await.len(), 0);
    let edge = format!("{}", high.max(low));
    assert!(names(&server, &[("score_min", &edge)]).await.len() < 3);
    assert_eq!(
        names(&server, &[("score_min", "0")]).await.len(),
        3,
        "no score is not 0"
    );
    let today = server.result(&stereo).await["call"]["created_at"]
        .as_str()
        .expect("a time")
        .to_owned();
    assert!(today.ends_with('Z'), "{today}");
    let day = &today[..10];
    assert_eq!(names(&server, &[("date_from", day)]).await.len(), 4);
    assert_eq!(
        names(&server, &[("date_to", day)]).await.len(),
        4,
        "the day is included"
    );
    assert_eq!(names(&server, &[("date_to", "2020-01-01")]).await.len(), 0);
    assert_eq!(
        names(&server, &[("date_from", "2100-01-01T00:00:00Z")])
            .await
            .len(),
        0
    );
    assert_eq!(
        names(&server, &[("date_from", &today), ("date_to", &today)]).await,
        ["c stereo.wav"],
        "both ends included"
    );

    let averages = server.results(&[("page_size", "1")]).await["averages"].clone();
    assert_eq!(averages["scored"], 3, "of the whole set, not of the page");
    let mean = scores.iter().sum::<f64>() / 3.0;
    assert!(
        (averages["overall_percent"].as_f64().expect("a mean") - mean).abs() < 0.06,
        "{averages} {mean}"
    );
    assert_eq!(averages["criteria"].as_array().map(Vec::len), Some(3));
    let none = server.results(&[("q", "жираф")]).await["averages"].clone();
    assert_eq!(
        none,
        json!({"scored": 0, "overall_percent": null, "criteria": []})
    );

    let mut paged = Vec::new();
    for page in ["1", "2", "3"] {
        let list = server.results(&[("page", page), ("page_size", "2")]).await;
        assert_eq!((&list["total"], &list["page_size"]), (&json!(4), &json!(2)));
        paged.extend(
            list["items"]
                .as_array()
                .expect("items")
                .iter()
                .map(|call| call["id"].clone()),
        );
    }
    assert_eq!(paged.len(), 4);
    paged.sort_by_key(Value::to_string);
    paged.dedup();
    assert_eq!(paged.len(), 4, "each once");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_filter_means_what_the_calls_show() {
    let server = Server::start(&Setup::scripted()).await;
    let slow = server
        .accepted("slow.wav", scripted_call(1), &[("language", "sl")])
        .await;
    let queued = server.accepted("queued.wav", scripted_call(2), &[]).await;
    let bad = bytes(&ffmpeg("head.mp3", "-t 3 -i {call} -c:a libmp3lame"));
    let (_, _) = server.upload(vec![file("third.mp3", bad)], &[]).await;
    server.transcribing(&slow).await;
    for status in [
        "queued",
        "processing",
        "completed",
        "failed",
        "cancelled",
        "no_speech",
    ] {
        let list = server.results(&[("status", status)]).await;
        for call in list["items"].as_array().expect("items") {
            assert_eq!(call["status"], status, "{call}");
        }
    }
    let of = |list: &Value| -> Vec<String> {
        list["items"]
            .as_array()
            .expect("items")
            .iter()
            .map(|call| call["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    assert_eq!(
        of(&server.results(&[("status", "processing")]).await),
        [slow]
    );
    assert!(of(&server.results(&[("status", "queued")]).await).contains(&queued));
    let _ = server.stop().await;
}
