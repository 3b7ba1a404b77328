//! Trackers: what is looked for in every call by phrases.

use serde::{Deserialize, Serialize};

use super::Speaker;

/// Most trackers.
pub const MAX_TRACKERS: usize = 100;
/// Most phrases of one, exceptions included.
const MAX_PHRASES: usize = 200;
/// Longest phrase and longest name, in characters.
const MAX_LENGTH: usize = 120;
/// Most words of a phrase: what a turn is compared with grows with it.
const MAX_WORDS: usize = 12;

/// A topic that is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracker {
    /// Stays the same when the name changes.
    pub key: String,
    /// As the team calls it.
    pub name: String,
    /// English name, where there is one.
    pub name_en: Option<String>,
    /// Who says it; `None`: anybody.
    pub speaker: Option<Speaker>,
    /// Any one counts; the signs are those of a scorecard's phrases.
    pub phrases: Vec<String>,
    /// What looks like it and is not.
    pub except: Vec<String>,
}

/// All of them, with a number that grows with each change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trackers {
    /// Grows with each change.
    pub revision: u64,
    /// In the order they are shown in.
    pub items: Vec<Tracker>,
}

impl Tracker {
    /// Without spaces at the ends and empty lines.
    ///
    /// # Errors
    /// Every fault with its exact place, such as `phrases[2]`.
    pub fn tidy(mut self) -> Result<Self, Vec<String>> {
        let mut faults = Vec::new();
        let name = |place: &str, text: &str, faults: &mut Vec<String>| {
            let length = text.chars().count();
            if length == 0 || length > MAX_LENGTH || text.chars().any(char::is_control) {
                faults.push(format!(
                    "{place}: from 1 to {MAX_LENGTH} characters on one line are needed"
                ));
            }
        };
        self.name = self.name.trim().to_owned();
        name("name", &self.name, &mut faults);
        self.name_en = self
            .name_en
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        if let Some(text) = &self.name_en {
            name("name_en", text, &mut faults);
        }
        if self.phrases.is_empty() {
            faults.push("phrases: at least one is needed".to_owned());
        }
        if self.phrases.len() + self.except.len() > MAX_PHRASES {
            faults.push(format!(
                "phrases: at most {MAX_PHRASES} together with except"
            ));
        }
        for (list, phrases) in [("phrases", &mut self.phrases), ("except", &mut self.except)] {
            for (at, phrase) in phrases.iter_mut().enumerate() {
                *phrase = phrase.split_whitespace().collect::<Vec<_>>().join(" ");
                if let Some(fault) = fault_of(phrase) {
                    faults.push(format!("{list}[{at}]: {fault}"));
                }
            }
        }
        if faults.is_empty() {
            Ok(self)
        } else {
            Err(faults)
        }
    }
}

/// What is wrong with a phrase.
fn fault_of(phrase: &str) -> Option<String> {
    if phrase.is_empty() {
        return Some("it is empty".to_owned());
    }
    if phrase.chars().count() > MAX_LENGTH || phrase.split(' ').count() > MAX_WORDS {
        return Some(format!(
            "at most {MAX_LENGTH} characters and {MAX_WORDS} words"
        ));
    }
    let mut must = false;
    for element in phrase.split(' ') {
        if element == "..." || element == "*" {
            continue;
        }
        let words = element.strip_suffix('?');
        must |= words.is_none();
        for word in words.unwrap_or(element).split('|') {
            let bare = word.strip_prefix('=').unwrap_or(word);
            let bare = bare.strip_suffix('*').unwrap_or(bare);
            if bare.is_empty() || !bare.chars().all(char::is_alphanumeric) {
                return Some(format!(
                    "{word:?} is not a word; write words, a|b, word*, =word, word?, * and ..."
                ));
            }
        }
    }
    (!must).then(|| format!("the phrase {phrase:?} has no word that must be said"))
}

impl Default for Trackers {
    /// What teams look for most.
    fn default() -> Self {
        let client = Some(Speaker::Client);
        let tracker =
            |key: &str, names: (&str, &str), speaker, phrases: &[&str], except: &[&str]| {
                let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
                Tracker {
                    key: key.to_owned(),
                    name: names.0.to_owned(),
                    name_en: Some(names.1.to_owned()),
                    speaker,
                    phrases: owned(phrases),
                    except: owned(except),
                }
            };
        let items = vec![
            tracker(
                "competitor",
                ("Конкуренты", "Competitor named"),
                None,
                &[
                    "конкурент",
                    "у|в других дешевле",
                    "другая|другой|другие компания|фирма|магазин|поставщик|подрядчик",
                    "у|в другой компании|фирме|месте",
                    "работаем|работаю с другими|другим|другой",
                    "предложили дешевле",
                    "авито",
                    "озон",
                    "вайлдберриз|вайлдберис|валдберис",
                ],
                &["другая|другой|другие сторона"],
            ),
            tracker(
                "price",
                ("Цена", "Price"),
                None,
                &[
                    "цена",
                    "стоимость",
                    "сколько ... стоит|стоят|стоить|обойдется|выйдет",
                    "почем",
                    "прайс",
                    "расценка",
                    "тариф",
                ],
                &[],
            ),
            tracker(
                "discount",
                ("Скидка", "Discount"),
                None,
                &[
                    "скидка",
                    "скидочка",
                    "промокод",
                    "акция",
                    "уступите|уступить",
                    "дешевле сделать|сделаете",
                ],
                &[],
            ),
            tracker(
                "complaint",
                ("Жалоба", "Complaint"),
                client,
                &[
                    "жалоба",
                    "пожаловаться|жалуюсь|жаловаться",
                    "претензия",
                    "недоволен|недовольна|недовольны",
                    "безобразие",
                    "возмутительно|возмущен|возмущена",
                    "верните|вернуть деньги",
                    "не работает|сломался|сломалась|сломалось|бракованный|брак",
                    "до сих пор не|нет",
                    "обманули|обманываете|обман",
                    "сколько можно",
                    "роспотребнадзор",
                ],
                &["сколько можно заказать|купить|взять"],
            ),
            tracker(
                "deadline",
                ("Сроки и доставка", "Deadline and delivery"),
                None,
                &[
                    "доставка",
                    "доставить|доставите|доставят|привезти|привезете|привезут",
                    "срок",
                    "когда ... будет|приедет|придет|привезут|готово|готов",
                    "самовывоз",
                    "отгрузка",
                ],
                &[],
            ),
            tracker(
                "payment",
                ("Оплата", "Payment"),
                None,
                &[
                    "оплата",
                    "оплатить|оплачу|оплатим",
                    "предоплата",
                    "рассрочка",
                    "кредит",
                    "выставить|выставите|выставлю счет",
                ],
                &[],
            ),
            tracker(
                "callback",
                ("Обещание перезвонить", "Callback promised"),
                Some(Speaker::Operator),
                &[
                    "перезвоню|перезвоним|перезвонит|перезвонят",
                    "наберу вас?",
                    "свяжусь|свяжемся|свяжется|свяжутся",
                    "позвоню|позвоним вам",
                ],
                &["не перезвоню|перезвоним|перезвонит"],
            ),
            tracker(
                "objection",
                ("Сомнения клиента", "Client in doubt"),
                client,
                &[
                    "дорого",
                    "дороговато",
                    "подумаю|подумаем|подумать",
                    "не интересно|актуально|устраивает|подходит",
                    "посоветуюсь|посоветоваться",
                    "пока не нужно|надо|готов|готова|готовы",
                ],
                &["не дорого"],
            ),
        ];
        Self { revision: 1, items }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_trackers_pass_their_own_check() {
        let trackers = Trackers::default();
        let mut keys: Vec<&str> = trackers.items.iter().map(|t| t.key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), trackers.items.len());
        for tracker in trackers.items {
            assert_eq!(tracker.clone().tidy(), Ok(tracker));
        }
    }

    #[test]
    fn faults_name_their_place() {
        let tracker = |phrases: &[&str], except: &[&str]| Tracker {
            key: "k".into(),
            name: " Цена ".into(),
            name_en: Some(" ".into()),
            speaker: None,
            phrases: phrases.iter().map(|p| (*p).to_owned()).collect(),
            except: except.iter().map(|p| (*p).to_owned()).collect(),
        };
        let tidy = tracker(&["  сколько   ... стоит "], &[])
            .tidy()
            .expect("good");
        assert_eq!(tidy.phrases, ["сколько ... стоит"]);
        assert_eq!((tidy.name.as_str(), tidy.name_en), ("Цена", None));
        let fault = |phrases: &[&str], except: &[&str]| {
            tracker(phrases, except)
                .tidy()
                .expect_err("a fault")
                .join("\n")
        };
        assert!(fault(&[], &[]).starts_with("phrases: "));
        assert!(fault(&["цена", "* ..."], &[]).starts_with("phrases[1]: "));
        assert!(fault(&["цена"], &["да", "до-рого"]).starts_with("except[1]: "));
        assert!(fault(&["а||б"], &[]).starts_with("phrases[0]: "));
        assert!(fault(&["а б в г д е ж з и к л м н"], &[]).contains("12 words"));
    }
}
