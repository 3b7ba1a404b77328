//! The directory of employees and the names of files, over the API and the
//! command line.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{assert_error, read};
use crate::fixtures::{scripted_call, scripted_mono};
use crate::process::{output, program, text};
use crate::server::{Server, Setup};

const CSV: &str = "ФИО;Отдел;Внутренний номер;Телефон;SIP\nОльга Щербакова;Продажи;101;8 916 111-22-33;olga\nПётр Жуков;;102;;Пользователь1\n";

async fn import(server: &Server, bytes: Vec<u8>) -> (u16, Value) {
    let request = server.request(Method::POST, "/employees/import");
    let request = request
        .header("content-type", "application/octet-stream")
        .body(bytes);
    read(request.send().await.expect("an answer")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_files_and_the_directory_tell_who_it_was() {
    let server = Server::start(&Setup::scripted()).await;
    let mango =
        "2021.03.30__10-33-20__79173250913__Poljhzovateljh1(SipCmd)_11322899185_2661322.wav";
    let early = server.accepted(mango, scripted_call(1), &[]).await;
    let by_hand = server
        .accepted(
            "2021.03.30__10-33-21__79173250914__101.wav",
            scripted_call(2),
            &[("operator_name", "Анна")],
        )
        .await;
    let odd = server.accepted("запись.wav", scripted_mono(3), &[]).await;
    let call = server.completed(&early).await;
    assert_eq!(
        call["call"]["operator"], "Пользователь1",
        "the name of the file says so"
    );
    assert_eq!(call["call"]["started_at"], "2021-03-30T07:33:20Z");
    assert_eq!(
        (&call["call"]["direction"], &call["details"]["name_pattern"]),
        (&json!("inbound"), &json!("mango"))
    );
    server.completed(&by_hand).await;
    let call = server.completed(&odd).await;
    assert_eq!(call["details"]["name_recognised"], false);
    assert_eq!(call["call"]["operator"], Value::Null);

    // Windows-1251, as Excel writes it; a second time nothing changes.
    let (cp1251, ..) = encoding_rs::WINDOWS_1251.encode(CSV);
    assert_eq!(
        import(&server, cp1251.to_vec()).await,
        (200, json!({"added": 2, "changed": 0, "same": 0}))
    );
    assert_eq!(import(&server, CSV.as_bytes().to_vec()).await.1["same"], 2);
    let broken = import(&server, b"name;phone\nA;+79161234567\nB;12\n".to_vec()).await;
    assert_error("a broken file", &broken, 400, "bad_csv");
    assert!(
        broken.1["message"]
            .as_str()
            .expect("a message")
            .contains("line 3"),
        "{}",
        broken.1
    );
    let list = server.get("/employees").await;
    assert_eq!(
        list["items"].as_array().expect("items").len(),
        2,
        "all or none"
    );

    assert_eq!(
        server.post("/employees/apply").await,
        (200, json!({"calls": 1}))
    );
    assert_eq!(
        server.result(&early).await["call"]["operator"],
        "Пётр Жуков"
    );
    assert_eq!(server.result(&by_hand).await["call"]["operator"], "Анна");
    assert_eq!(
        server.results(&[("q", "Жуков")]).await["total"],
        1,
        "the search knows it"
    );
    let operators = server.get("/operators?q=Пользователь").await;
    assert_eq!(operators["items"], json!([]), "nobody's name any more");

    // What arrives from now on is named at once.
    let new = server
        .accepted(
            "2021.03.30__10-40-00__Shherbakova_Oljhga__79173250915.wav",
            scripted_call(4),
            &[],
        )
        .await;
    let call = server.completed(&new).await;
    assert_eq!(
        (&call["call"]["operator"], &call["call"]["direction"]),
        (&json!("Ольга Щербакова"), &json!("outbound"))
    );
    assert_eq!(
        server
            .results(&[("calledphone", "8 (917) 325-09-15")])
            .await["total"],
        1
    );

    // Change, remove.
    let olga = &list["items"][0];
    let path = format!("/employees/{}", olga["id"].as_str().expect("an id"));
    let mut changed = olga.clone();
    changed["name"] = json!("Ольга Новая");
    changed["sip"] = json!(["olga", "Щербакова Ольга"]);
    let (status, put) = server.send(Method::PUT, &path, Some(changed)).await;
    assert_eq!(
        (status, &put["name"], &put["phones"]),
        (200, &json!("Ольга Новая"), &json!(["79161112233"]))
    );
    assert_eq!(server.post("/employees/apply").await.1["calls"], 1);
    assert_eq!(server.result(&new).await["call"]["operator"], "Ольга Новая");
    let wrong = server
        .send(Method::PUT, &path, Some(json!({"name": " "})))
        .await;
    assert_error("no name", &wrong, 400, "bad_employee");
    assert_eq!(server.send(Method::DELETE, &path, None).await.0, 204);
    assert_error(
        "twice",
        &server.send(Method::DELETE, &path, None).await,
        404,
        "not_found",
    );
    assert_eq!(
        server.result(&new).await["call"]["operator"],
        "Ольга Новая",
        "calls keep the name"
    );
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_are_configured_and_tried() {
    let sections = "[names]\ntime_zone = \"Asia/Yekaterinburg\"\n[[names.pattern]]\nname = \"crm\"\nregex = '^(?<direction>in|out)-(?<phone>\\d+)-(?<datetime>\\d{8}_\\d{6})-(?<order_id>\\w+)$'\n";
    let server = Server::start(&Setup {
        sections: sections.to_owned(),
        ..Setup::scripted()
    })
    .await;
    let names = [
        "in-89173250913-20250715_110307-A7.wav",
        "2025.07.15__11-03-07__79173250913__101.mp3",
        "x.mp3",
    ];
    let attempt = |body: Value| {
        let server = &server;
        async move { server.send(Method::POST, "/names/try", Some(body)).await }
    };
    let (_, tried) = attempt(json!({"names": names})).await;
    let patterns: Vec<&Value> = tried["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| &item["pattern"])
        .collect();
    assert_eq!(patterns, [&json!("crm"), &json!("mango"), &Value::Null]);
    assert_eq!(tried["items"][0]["started_at"], "2025-07-15T06:03:07Z");
    assert_eq!(tried["time_zone"], "Asia/Yekaterinburg");
    assert_eq!(tried["patterns"][0]["name"], "crm");
    let (_, other) = attempt(
        json!({"names": names, "patterns": [{"name": "all", "regex": "^(?<operator>.+)$"}]}),
    )
    .await;
    assert_eq!(other["items"][2]["pattern"], "all");
    let faulty = attempt(json!({"names": [], "patterns": [{"name": "bad", "regex": "("}]})).await;
    assert_error("a faulty pattern", &faulty, 400, "bad_pattern");
    assert!(
        faulty.1["message"]
            .as_str()
            .expect("a message")
            .contains("bad"),
        "{}",
        faulty.1
    );
    let id = server.accepted(names[0], scripted_call(1), &[]).await;
    let call = server.completed(&id).await;
    assert_eq!(call["details"]["order_ids"], json!(["A7"]));
    assert_eq!(call["call"]["direction"], "inbound");
    let _ = server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_reaches_the_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("list.csv");
    std::fs::write(&file, encoding_rs::WINDOWS_1251.encode(CSV).0).expect("written");
    let data = dir.path().join("store");
    let run = |arguments: &[&str]| output(program(&data).arg("employees").args(arguments), None);
    let file = file.to_str().expect("a path");
    let imported = run(&["import", file]);
    assert!(
        imported.status.success() && text(&imported).contains("added: 2"),
        "{}",
        text(&imported)
    );
    let list = text(&run(&["list"]));
    assert!(
        list.contains("Ольга Щербакова\tПродажи\t101, 79161112233, olga"),
        "{list}"
    );
    std::fs::write(file, "name\n").expect("written");
    let refused = run(&["import", file]);
    assert!(
        !refused.status.success() && text(&refused).contains("line 2"),
        "{}",
        text(&refused)
    );
    // Beside a server that has the store open.
    let server = Server::start(&Setup::scripted()).await;
    std::fs::write(file, CSV).expect("written");
    let beside = output(
        program(&server.data_dir()).args(["employees", "import", file]),
        None,
    );
    assert!(text(&beside).contains("added: 2"), "{}", text(&beside));
    assert_eq!(
        server.get("/employees").await["items"]
            .as_array()
            .expect("items")
            .len(),
        2
    );
    let _ = server.stop().await;
}
