//! What lists are narrowed by of what is told of a call: its ends, its operator,
//! orders, tags, the door. One meaning for the list of calls and the list of
//! dropped files, whichever form they are kept in.

use super::phone::{Number, Wanted};
use super::{Call, Source};

/// A kind of what is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Who called.
    Caller,
    /// Who was called: the number that was dialled, the line.
    Called,
    /// Our person's phone, or where the call was forwarded to.
    OperatorPhone,
    /// Our person's extension.
    Extension,
    /// Our person's name.
    Operator,
    /// An order.
    Order,
    /// A tag.
    Tag,
}

impl Field {
    /// Every kind.
    pub const ALL: [Field; 7] = [
        Field::Caller,
        Field::Called,
        Field::OperatorPhone,
        Field::Extension,
        Field::Operator,
        Field::Order,
        Field::Tag,
    ];
}

/// Something of which things are told.
pub trait Told {
    /// True when `test` holds for one of the texts of a kind; it also gets the
    /// phone number that the text is, where it is one.
    fn any(&self, field: Field, test: &mut dyn FnMut(&str, Option<&str>) -> bool) -> bool;

    /// By which door it came.
    fn source(&self) -> Source;
}

/// What is wanted; what is absent or empty is not looked at.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    phone: Option<Wanted>,
    caller: Option<Wanted>,
    called: Option<Wanted>,
    operator_phone: Option<Wanted>,
    extension: Option<String>,
    operator: Option<String>,
    order: Option<String>,
    tag: Option<String>,
    sources: Vec<Source>,
}

impl Terms {
    /// Digits of the number of any party.
    pub fn phone(mut self, wanted: Option<&str>) -> Self {
        self.phone = wanted.map(Wanted::new);
        self
    }

    /// Digits of the caller's number, or a part of the name.
    pub fn caller(mut self, wanted: Option<&str>) -> Self {
        self.caller = wanted.map(Wanted::new);
        self
    }

    /// The same of who was called.
    pub fn called(mut self, wanted: Option<&str>) -> Self {
        self.called = wanted.map(Wanted::new);
        self
    }

    /// The same of our person's phone; a whole extension is found as well.
    pub fn operator_phone(mut self, wanted: Option<&str>) -> Self {
        self.operator_phone = wanted.map(Wanted::new);
        self.extension = wanted.map(str::to_owned);
        self
    }

    /// Operator's name, whole, case does not matter.
    pub fn operator(mut self, wanted: Option<&str>) -> Self {
        self.operator = wanted.map(lower);
        self
    }

    /// An order, whole, case does not matter.
    pub fn order(mut self, wanted: Option<&str>) -> Self {
        self.order = wanted.map(lower);
        self
    }

    /// A tag, whole, case does not matter.
    pub fn tag(mut self, wanted: Option<&str>) -> Self {
        self.tag = wanted.map(lower);
        self
    }

    /// By which doors; empty = any.
    pub fn sources(mut self, wanted: &[Source]) -> Self {
        self.sources = wanted.to_vec();
        self
    }

    /// True when everything that is wanted is told.
    pub fn pass(&self, told: &impl Told) -> bool {
        let end = |wanted: &Option<Wanted>, field| {
            wanted
                .as_ref()
                .is_none_or(|wanted| told.any(field, &mut |text, phone| wanted.is_in(text, phone)))
        };
        let whole = |wanted: &Option<String>, field| {
            wanted
                .as_ref()
                .is_none_or(|wanted| told.any(field, &mut |text, _| is_lower_of(wanted, text)))
        };
        let by_extension = || {
            self.extension
                .as_ref()
                .is_some_and(|wanted| told.any(Field::Extension, &mut |text, _| text == wanted))
        };
        let of_any_party = self.phone.is_none()
            || [Field::Caller, Field::Called, Field::OperatorPhone]
                .into_iter()
                .any(|field| end(&self.phone, field));
        of_any_party
            && end(&self.caller, Field::Caller)
            && end(&self.called, Field::Called)
            && (end(&self.operator_phone, Field::OperatorPhone) || by_extension())
            && whole(&self.operator, Field::Operator)
            && whole(&self.order, Field::Order)
            && whole(&self.tag, Field::Tag)
            && (self.sources.is_empty() || self.sources.contains(&told.source()))
    }
}

fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn is_lower_of(lower: &str, text: &str) -> bool {
    text.chars().flat_map(char::to_lowercase).eq(lower.chars())
}

type Test<'a> = &'a mut dyn FnMut(&str, Option<&str>) -> bool;

/// Whether `test` holds for one of these numbers.
pub(super) fn any_number(numbers: &[&Option<Number>], test: Test<'_>) -> bool {
    numbers
        .iter()
        .filter_map(|number| number.as_ref())
        .any(|number| test(&number.text, number.phone.as_deref()))
}

/// Whether `test` holds for one of these texts.
pub(super) fn any_text<'a>(texts: impl IntoIterator<Item = &'a String>, test: Test<'_>) -> bool {
    texts.into_iter().any(|text| test(text, None))
}

impl Told for Call {
    fn any(&self, field: Field, test: &mut dyn FnMut(&str, Option<&str>) -> bool) -> bool {
        let details = &self.details;
        match field {
            Field::Caller => any_number(&[&details.caller], test),
            Field::Called => any_number(&[&details.called, &details.line], test),
            Field::OperatorPhone => any_number(&[&details.operator_phone, &details.redirect], test),
            Field::Extension => any_text(&details.extension, test),
            Field::Operator => any_text(&self.operator, test),
            Field::Order => any_text(&details.order_ids, test),
            Field::Tag => any_text(&details.tags, test),
        }
    }

    fn source(&self) -> Source {
        self.source
    }
}
