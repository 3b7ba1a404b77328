//! Transcripts as files. A script plays the speech worker.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::client::{Client, assert_error};
use crate::fixtures::scripted_call;
use crate::server::{Server, Setup};

async fn file(client: &Client, id: &str, query: &str) -> Response {
    let path = format!("/results/{id}/transcript?{query}");
    let request = client.request(Method::GET, &path);
    let response = request.send().await.expect("an answer");
    assert_eq!(response.status(), 200, "{query}");
    response
}

fn header(response: &Response, name: &str) -> String {
    let values: Vec<_> = response.headers().get_all(name).iter().collect();
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    values[0].to_str().expect("ASCII").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_is_downloaded_in_every_form() {
    let server = Server::start(&Setup::scripted()).await;
    let id = server
        .accepted("Звонок №1.wav", scripted_call(1), &[])
        .await;
    server.completed(&id).await;
    let srt = "1\n00:00:00,200 --> 00:00:02,800\nОператор: Здравствуйте, компания Ромашка,\nменя зовут Ольга.\n\n2\n00:00:04,200 --> 00:00:06,200\nКлиент: Добрый день, где мой заказ?\n\n";
    let vtt = "WEBVTT\n\n00:00:00.200 --> 00:00:02.800\n<v Operator>Здравствуйте, компания Ромашка, меня зовут\nОльга.\n\n00:00:04.200 --> 00:00:06.200\n<v Client>Добрый день, где мой заказ?\n\n";
    let txt = "Звонок №1.wav\n\n[00:00:00] Оператор: Здравствуйте, компания Ромашка, меня зовут Ольга.\n[00:00:04] Клиент: Добрый день, где мой заказ?\n";
    for (query, kind, text) in [
        ("format=srt", "application/x-subrip; charset=utf-8", srt),
        ("format=vtt&lang=en", "text/vtt; charset=utf-8", vtt),
        ("format=txt&lang=ru", "text/plain; charset=utf-8", txt),
    ] {
        let response = file(&server, &id, query).await;
        assert_eq!(header(&response, "content-type"), kind);
        let disposition = header(&response, "content-disposition");
        let ending = &query[7..10];
        assert_eq!(
            disposition,
            format!(
                "attachment; filename=\"______ _1.{ending}\"; filename*=UTF-8''%D0%97%D0%B2%D0%BE%D0%BD%D0%BE%D0%BA%20%E2%84%961.{ending}"
            )
        );
        assert_eq!(response.text().await.expect("text"), text, "{query}");
    }
    let response = file(&server, &id, "format=json").await;
    assert_eq!(
        header(&response, "content-type"),
        "application/json; charset=utf-8"
    );
    let json: Value = response.json().await.expect("JSON");
    assert_eq!(json["turns"][1]["name"], "Клиент");
    assert_eq!(json["turns"][1]["words"][4]["text"], "заказ?");

    // After a correction the file is of the new version, and the old one can be had.
    let path = format!("/results/{id}/turns/1");
    let body = json!({"version": 0, "text": "Где <мой> заказ & чек?"});
    let (status, answer) = server.send(Method::PATCH, &path, Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    let new = file(&server, &id, "format=vtt")
        .await
        .text()
        .await
        .expect("text");
    assert!(
        new.contains("<v Клиент>Где &lt;мой&gt; заказ &amp; чек?"),
        "{new}"
    );
    let old = file(&server, &id, "format=srt&version=0")
        .await
        .text()
        .await
        .expect("text");
    assert_eq!(old, srt);
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_downloaded() {
    let server = Server::start(&Setup::scripted()).await;
    let silent = server
        .accepted("a.wav", scripted_call(1), &[("language", "nn")])
        .await;
    server.finished(&silent).await;
    let path = format!("/results/{silent}/transcript?format=srt");
    let answer = server.send(Method::GET, &path, None).await;
    assert_error("nobody speaks", &answer, 409, "not_completed");
    for query in ["", "?format=docx", "?format=srt&lang=fr"] {
        let path = format!("/results/{silent}/transcript{query}");
        let answer = server.send(Method::GET, &path, None).await;
        assert_error(query, &answer, 400, "bad_request");
    }
    let path = "/results/01ARZ3NDEKTSV4RRFFQ69G5FAV/transcript?format=srt";
    let answer = server.send(Method::GET, path, None).await;
    assert_error("no call", &answer, 404, "not_found");
    let answer = Client::anonymous(&server.base)
        .send(Method::GET, path, None)
        .await;
    assert_error("nobody", &answer, 401, "not_signed_in");
    let _ = server.stop().await;
}
