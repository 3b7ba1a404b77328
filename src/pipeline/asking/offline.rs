//! What rules find in a call without any model: topics by the trackers' phrases, and a
//! summary that is made of the call's own words.

use crate::domain::insight::{Point, Summary, Topic};
use crate::domain::question::{Quote, Why};
use crate::domain::score::Engine;
use crate::domain::tracker::Trackers;
use crate::domain::{Separation, Speaker, Transcript};
use crate::pipeline::score::phrases::{Match, Phrases, Tokens};
use crate::pipeline::score::proof::said;

/// Most quotes of a topic, and most objections.
const MOST: usize = 5;
/// A request has at least so many words.
const REQUEST_WORDS: usize = 4;

/// What a client wants is said with one of these.
const REQUESTS: &[&str] = &[
    "хочу|хотел|хотела|хотели|хотим",
    "нужен|нужна|нужно|нужны|надо",
    "подскажите|скажите|расскажите|помогите",
    "интересует|интересуют|интересно",
    "можно ли?",
    "звоню по|насчет|узнать",
    "заказать|заказывал|заказывала|оформить|купить|вернуть|отменить|записаться",
    "где|когда|сколько|почему|какой|какая|какие|как",
    "проблема|вопрос|не работает",
];
/// What is to come next is said with one of these.
const NEXT_STEPS: &[&str] = &[
    "перезвоню|перезвоним|перезвонит|перезвонят|перезвоните",
    "отправлю|отправим|отправит|отправят",
    "вышлю|вышлем|пришлю|пришлем|скину|скинем",
    "свяжусь|свяжемся|свяжется|свяжутся",
    "уточню|уточним|узнаю и|узнаем и",
    "запишу|запишем|записала|записал вас|вам",
    "оформлю|оформим|передам|передадим|подготовлю|подготовим",
    "договорились",
    "ждем|жду вас|вашего|звонка",
    "приедет|приедем|приеду|подъедет|привезем|привезут|доставим",
    "наберу|позвоню|позвоним",
];
/// What a client objects with.
const OBJECTIONS: &[&str] = &[
    "дорого|дороговато",
    "подумаю|подумаем|подумать",
    "посоветуюсь|посоветоваться|посоветуемся",
    "не интересно|интересует|актуально|устраивает|подходит|нужно|надо|хочу|планируем|планирую",
    "нет времени|денег|возможности|смысла",
    "у других|конкурентов дешевле",
    "нашел|нашла|нашли|видел|видела дешевле",
    "уже есть|купил|купила|купили|заказал|заказала",
    "слишком долго|далеко|сложно|много",
    "не уверен|уверена|доверяю|верю",
    "в другой раз",
];
/// And what sounds so and is none.
const NO_OBJECTIONS: &[&str] = &["не дорого", "если не подходит|подойдет"];

/// Trackers ready to be applied to many calls.
pub(super) struct Compiled {
    trackers: Trackers,
    phrases: Vec<(Phrases, Phrases)>,
}

/// What rules look for in summaries, compiled once.
pub(super) struct Marks {
    requests: Phrases,
    next_steps: Phrases,
    objections: Phrases,
    no_objections: Phrases,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            requests: Phrases::compile(REQUESTS),
            next_steps: Phrases::compile(NEXT_STEPS),
            objections: Phrases::compile(OBJECTIONS),
            no_objections: Phrases::compile(NO_OBJECTIONS),
        }
    }
}

impl Compiled {
    pub(super) fn new(trackers: Trackers) -> Self {
        let phrases = trackers
            .items
            .iter()
            .map(|tracker| {
                (
                    Phrases::compile(&tracker.phrases),
                    Phrases::compile(&tracker.except),
                )
            })
            .collect();
        Self { trackers, phrases }
    }

    /// The revision of the trackers.
    pub(super) fn revision(&self) -> u64 {
        self.trackers.revision
    }

    /// The topics of a call, in the order of the trackers. Where the parties were not
    /// told apart, everybody may have said it.
    pub(super) fn topics(&self, transcript: &Transcript, tokens: &[Tokens]) -> Vec<Topic> {
        let mut topics = Vec::new();
        for (tracker, (phrases, except)) in self.trackers.items.iter().zip(&self.phrases) {
            let places = places(transcript, tokens, tracker.speaker, phrases, except);
            if places.is_empty() {
                continue;
            }
            topics.push(Topic {
                key: tracker.key.clone(),
                count: u32::try_from(places.len()).unwrap_or(u32::MAX),
                quotes: quotes(transcript, &places),
            });
        }
        topics
    }
}

/// Where phrases are said: turn and words, in order.
fn places(
    transcript: &Transcript,
    tokens: &[Tokens],
    speaker: Option<Speaker>,
    phrases: &Phrases,
    except: &Phrases,
) -> Vec<(usize, Match)> {
    let together = transcript.separation == Separation::Unseparated;
    let turns = transcript.turns.iter().zip(tokens).enumerate();
    turns
        .filter(|(_, (turn, _))| together || speaker.is_none_or(|who| who == turn.speaker))
        .flat_map(|(at, (_, tokens))| {
            let found = phrases.find_except(tokens, except);
            found.into_iter().map(move |words| (at, words))
        })
        .collect()
}

/// The sentences of the first places, each once.
fn quotes(transcript: &Transcript, places: &[(usize, Match)]) -> Vec<Quote> {
    let mut quotes: Vec<Quote> = Vec::new();
    for (turn, words) in places {
        let quote = said(transcript, *turn, *words);
        if !quotes.contains(&quote) {
            quotes.push(quote);
        }
        if quotes.len() == MOST {
            break;
        }
    }
    quotes
}

/// A summary of the call's own words. `why` says why no model made it.
pub(super) fn summary(
    transcript: &Transcript,
    tokens: &[Tokens],
    marks: &Marks,
    why: Option<Why>,
) -> Summary {
    let none = Phrases::default();
    let point = |quote: Quote| Point {
        text: quote.text.clone(),
        quote: Some(quote),
    };
    let of = |speaker, phrases, except| {
        let places = places(transcript, tokens, Some(speaker), phrases, except);
        quotes(transcript, &places)
    };
    let next = places(
        transcript,
        tokens,
        Some(Speaker::Operator),
        &marks.next_steps,
        &none,
    );
    // What is promised last stands.
    let next_step = next
        .last()
        .map(|(turn, words)| point(said(transcript, *turn, *words)));
    Summary {
        by: Engine::Rules,
        about: request(transcript, tokens, marks).map(point),
        next_step,
        objections: of(Speaker::Client, &marks.objections, &marks.no_objections)
            .into_iter()
            .map(point)
            .collect(),
        model: None,
        why,
    }
}

/// What the client wants: the first sentence that asks for something, else the client's
/// first longer turn.
fn request(transcript: &Transcript, tokens: &[Tokens], marks: &Marks) -> Option<Quote> {
    let none = Phrases::default();
    let asked = places(
        transcript,
        tokens,
        Some(Speaker::Client),
        &marks.requests,
        &none,
    );
    let long = |quote: &Quote| quote.text.split_whitespace().count() >= REQUEST_WORDS;
    let asked = asked
        .into_iter()
        .map(|(turn, words)| said(transcript, turn, words))
        .find(long);
    asked.or_else(|| {
        let together = transcript.separation == Separation::Unseparated;
        let (at, turn) = transcript.turns.iter().enumerate().find(|(_, turn)| {
            (together || turn.speaker == Speaker::Client) && turn.words.len() >= REQUEST_WORDS
        })?;
        let last_word = turn.words.len().min(24) - 1;
        let whole = Match {
            first_word: 0,
            last_word,
        };
        Some(said(transcript, at, whole))
    })
}

/// The words of each turn.
pub(super) fn tokens(transcript: &Transcript) -> Vec<Tokens> {
    transcript.turns.iter().map(Tokens::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::score::test_call::{call, conversation};

    const CALL: &[&str] = &[
        "o Добрый день, компания «Ромашка», меня зовут Ольга.",
        "c Здравствуйте. Хотел узнать, сколько стоит установка двух окон?",
        "o Установка стоит десять тысяч рублей.",
        "c Ой, это дорого. У конкурентов дешевле.",
        "o Могу предложить скидку. Перезвоню вам завтра и пришлю расчёт.",
        "c Хорошо, я подумаю.",
    ];

    fn topics(turns: &[&str]) -> Vec<String> {
        let call = call(turns);
        let found = Compiled::new(Trackers::default()).topics(&call, &tokens(&call));
        found.into_iter().map(|topic| topic.key).collect()
    }

    #[test]
    fn the_default_trackers_find_what_they_are_named_after() {
        assert_eq!(
            topics(CALL),
            ["competitor", "price", "discount", "callback", "objection"]
        );
        assert_eq!(
            topics(&["c Я хочу оставить жалобу: до сих пор нет моего заказа!"]),
            ["complaint"]
        );
        assert_eq!(topics(&["c Когда мне привезут? Какой срок?"]), ["deadline"]);
        assert_eq!(
            topics(&["o Оплатить можно картой, в рассрочку."]),
            ["payment"]
        );
        assert!(topics(&["o Добрый день.", "c Здравствуйте, это Иван."]).is_empty());
        // The client's promise is not ours, and a complaint is the client's.
        assert!(topics(&["c Я перезвоню."]).is_empty());
        assert!(topics(&["o Примите жалобу."]).is_empty());
    }

    #[test]
    fn a_topic_has_its_places() {
        let call = call(CALL);
        let found = Compiled::new(Trackers::default()).topics(&call, &tokens(&call));
        let price = found.iter().find(|t| t.key == "price").expect("price");
        assert_eq!(price.quotes[0].turn_index, 1);
        assert_eq!(
            price.quotes[0].text,
            "Хотел узнать, сколько стоит установка двух окон?"
        );
        assert_eq!(price.quotes[0].start_ms, 10_500);
    }

    #[test]
    fn without_speakers_anybody_may_have_said_it() {
        let call = conversation(
            Separation::Unseparated,
            &[(Speaker::Unknown, 0, "Я вам перезвоню, это дорого.")],
        );
        let tokens = tokens(&call);
        let found = Compiled::new(Trackers::default()).topics(&call, &tokens);
        let keys: Vec<&str> = found.iter().map(|t| t.key.as_str()).collect();
        assert_eq!(keys, ["callback", "objection"]);
        let summary = summary(&call, &tokens, &Marks::default(), None);
        assert!(summary.next_step.is_some() && summary.objections.len() == 1);
    }

    #[test]
    fn a_summary_is_made_of_the_calls_own_words() {
        let call = call(CALL);
        let summary = summary(&call, &tokens(&call), &Marks::default(), None);
        let text = |point: Option<&Point>| point.map(|p| p.text.clone()).unwrap_or_default();
        assert_eq!(
            text(summary.about.as_ref()),
            "Хотел узнать, сколько стоит установка двух окон?"
        );
        assert_eq!(
            text(summary.next_step.as_ref()),
            "Перезвоню вам завтра и пришлю расчёт."
        );
        let objections: Vec<&str> = summary.objections.iter().map(|p| p.text.as_str()).collect();
        assert_eq!(
            objections,
            [
                "Ой, это дорого.",
                "У конкурентов дешевле.",
                "Хорошо, я подумаю."
            ]
        );
        assert_eq!(summary.by, Engine::Rules);
    }

    #[test]
    fn a_call_of_nothing_has_an_empty_summary() {
        let call = call(&["o Алло.", "c Алло."]);
        let summary = summary(&call, &tokens(&call), &Marks::default(), None);
        assert_eq!(
            (summary.about, summary.next_step, summary.objections.len()),
            (None, None, 0)
        );
    }
}
