//! Full-text search over calls. Derived from the store: it may be deleted and
//! is rebuilt at the next start. Called by the index stage and by the API.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;

use tantivy::collector::DocSetCollector;
use tantivy::query::{BooleanQuery, Occur, PhraseQuery, Query, RegexQuery, TermQuery};
use tantivy::schema::{
    Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value,
};
use tantivy::tokenizer::{
    Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, TextAnalyzer, TokenStream,
};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};

use crate::domain::{Call, CallId, Transcript};
use crate::store::{Store, StoreError};

/// Memory of the index writer in bytes: the smallest that tantivy takes.
const WRITER_BYTES: usize = 15_000_000;
const SPOKEN: &str = "spoken_ru";
const PLAIN: &str = "plain";

/// The index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The index library reports a fault.
    #[error(
        "the search index reports: {0}. Delete the directory 'index' in the data directory and start again; it is rebuilt"
    )]
    Index(#[from] tantivy::TantivyError),
    /// The directory cannot be made.
    #[error("the directory of the search index: {0}")]
    Directory(#[from] std::io::Error),
    /// The store cannot be read while the index is rebuilt.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The open index.
pub struct Search {
    writer: Mutex<IndexWriter>,
    reader: IndexReader,
    spoken_tokenizer: TextAnalyzer,
    plain_tokenizer: TextAnalyzer,
    fields: Fields,
}

#[derive(Clone, Copy)]
struct Fields {
    id: Field,
    /// Words that were said, by stem.
    spoken: Field,
    /// File name, operator: as written, in lower case.
    about: Field,
}

impl Search {
    /// Opens the index in `dir`. One that is missing, damaged or of another
    /// shape is made anew from `store`.
    pub fn open(dir: &Path, store: &Store) -> Result<Self, SearchError> {
        let (schema, fields) = schema();
        std::fs::create_dir_all(dir)?;
        let known = Index::open_in_dir(dir)
            .ok()
            .filter(|index| index.schema() == schema);
        let rebuild = known.is_none();
        let index = match known {
            Some(index) => index,
            None => {
                std::fs::remove_dir_all(dir)?;
                std::fs::create_dir_all(dir)?;
                Index::create_in_dir(dir, schema)?
            }
        };
        let spoken_tokenizer = TextAnalyzer::builder(SimpleTokenizer::default())
            .filter(RemoveLongFilter::limit(60))
            .filter(LowerCaser)
            .filter(Stemmer::new(Language::Russian))
            .build();
        let plain_tokenizer = TextAnalyzer::builder(SimpleTokenizer::default())
            .filter(RemoveLongFilter::limit(60))
            .filter(LowerCaser)
            .build();
        index
            .tokenizers()
            .register(SPOKEN, spoken_tokenizer.clone());
        index.tokenizers().register(PLAIN, plain_tokenizer.clone());
        let writer = index.writer_with_num_threads(1, WRITER_BYTES)?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        let search = Self {
            writer: Mutex::new(writer),
            reader,
            spoken_tokenizer,
            plain_tokenizer,
            fields,
        };
        if rebuild {
            search.rebuild(store)?;
        }
        Ok(search)
    }

    /// Makes a call findable, in place of what was known of it.
    pub fn put(&self, call: &Call, transcript: Option<&Transcript>) -> Result<(), SearchError> {
        let mut writer = self.writer();
        self.add(&writer, call, transcript)?;
        writer.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    /// Takes a call out of the index.
    pub fn remove(&self, id: &CallId) -> Result<(), SearchError> {
        let mut writer = self.writer();
        writer.delete_term(Term::from_field_text(self.fields.id, id.as_str()));
        writer.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    /// Takes calls out of the index, and what is left of removed ones out of its files: all
    /// segments are written anew as one.
    pub fn purge(&self, ids: &[CallId]) -> Result<(), SearchError> {
        let mut writer = self.writer();
        for id in ids {
            writer.delete_term(Term::from_field_text(self.fields.id, id.as_str()));
        }
        writer.commit()?;
        let segments = writer.index().searchable_segment_ids()?;
        if !segments.is_empty() {
            writer.merge(&segments).wait()?;
        }
        // A searcher holds on to the files that it reads.
        self.reader.reload()?;
        writer.garbage_collect_files().wait()?;
        Ok(())
    }

    /// Ids of the calls that have all words of `query` in what was said (in any
    /// word form), in the file name or the operator's name (also as a part of a
    /// word). Words in "quotes" must follow each other. `None` when the query has no words.
    pub fn find(&self, query: &str) -> Result<Option<HashSet<String>>, SearchError> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for (part, quoted) in parts(query) {
            if quoted {
                let stems = self.tokens(&self.spoken_tokenizer, &part);
                let terms: Vec<Term> = stems
                    .iter()
                    .map(|stem| Term::from_field_text(self.fields.spoken, stem))
                    .collect();
                match terms.as_slice() {
                    [] => {}
                    [term] => clauses.push((Occur::Must, term_query(term.clone()))),
                    _ => clauses.push((Occur::Must, Box::new(PhraseQuery::new(terms)))),
                }
            } else {
                for word in self.tokens(&self.plain_tokenizer, &part) {
                    let mut either: Vec<(Occur, Box<dyn Query>)> = self
                        .tokens(&self.spoken_tokenizer, &word)
                        .iter()
                        .map(|stem| {
                            let term = Term::from_field_text(self.fields.spoken, stem);
                            (Occur::Should, term_query(term))
                        })
                        .collect();
                    // Tokens are letters and digits only, so there is nothing to escape.
                    let inside =
                        RegexQuery::from_pattern(&format!(".*{word}.*"), self.fields.about)?;
                    either.push((Occur::Should, Box::new(inside)));
                    clauses.push((Occur::Must, Box::new(BooleanQuery::new(either))));
                }
            }
        }
        if clauses.is_empty() {
            return Ok(None);
        }
        let searcher = self.reader.searcher();
        let mut ids = HashSet::new();
        for address in searcher.search(&BooleanQuery::new(clauses), &DocSetCollector)? {
            let document: TantivyDocument = searcher.doc(address)?;
            if let Some(id) = document
                .get_first(self.fields.id)
                .and_then(|id| id.as_str())
            {
                ids.insert(id.to_owned());
            }
        }
        Ok(Some(ids))
    }

    fn rebuild(&self, store: &Store) -> Result<(), SearchError> {
        let mut calls = Vec::new();
        store.each_entry(|entry| {
            if entry.job.state.is_final() {
                calls.push(entry.call);
            }
        })?;
        let mut writer = self.writer();
        for call in &calls {
            let transcript = store.transcript(&call.id)?;
            self.add(&writer, call, transcript.as_ref())?;
        }
        writer.commit()?;
        self.reader.reload()?;
        if !calls.is_empty() {
            tracing::info!(calls = calls.len(), "the search index was rebuilt");
        }
        Ok(())
    }

    fn add(
        &self,
        writer: &IndexWriter,
        call: &Call,
        transcript: Option<&Transcript>,
    ) -> Result<(), SearchError> {
        writer.delete_term(Term::from_field_text(self.fields.id, call.id.as_str()));
        let mut document = TantivyDocument::default();
        document.add_text(self.fields.id, call.id.as_str());
        document.add_text(self.fields.about, without_yo(&call.filename));
        if let Some(operator) = &call.operator {
            document.add_text(self.fields.about, without_yo(operator));
        }
        for turn in transcript.iter().flat_map(|transcript| &transcript.turns) {
            document.add_text(self.fields.spoken, without_yo(&turn.text()));
        }
        writer.add_document(document)?;
        Ok(())
    }

    fn writer(&self) -> std::sync::MutexGuard<'_, IndexWriter> {
        self.writer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn tokens(&self, tokenizer: &TextAnalyzer, text: &str) -> Vec<String> {
        let text = without_yo(text);
        let mut tokenizer = tokenizer.clone();
        let mut stream = tokenizer.token_stream(&text);
        let mut tokens = Vec::new();
        while stream.advance() {
            tokens.push(stream.token().text.clone());
        }
        tokens
    }
}

fn schema() -> (Schema, Fields) {
    let text = |tokenizer: &str| {
        TextOptions::default().set_indexing_options(
            TextFieldIndexing::default()
                .set_tokenizer(tokenizer)
                .set_index_option(IndexRecordOption::WithFreqsAndPositions),
        )
    };
    let mut builder = Schema::builder();
    let fields = Fields {
        id: builder.add_text_field("id", STRING | STORED),
        spoken: builder.add_text_field("spoken", text(SPOKEN)),
        about: builder.add_text_field("about", text(PLAIN)),
    };
    (builder.build(), fields)
}

/// People write е for ё as they like: both find both.
pub(crate) fn without_yo(text: &str) -> String {
    text.replace('ё', "е").replace('Ё', "Е")
}

fn term_query(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

/// The query divided at double quotes (also « » “ ”): text, and whether it was quoted.
fn parts(query: &str) -> Vec<(String, bool)> {
    query
        .split(['"', '«', '»', '“', '”', '„'])
        .enumerate()
        .map(|(index, part)| (part.trim().to_owned(), index % 2 == 1))
        .filter(|(part, _)| !part.is_empty())
        .collect()
}
