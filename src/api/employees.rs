//! The directory of employees, and names of files tried on it.

use std::sync::Arc;

use poem::Body;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{Binary, Json};
use poem_openapi::{ApiResponse, Object, OpenApi};

use super::auth::{Settings, Who};
use super::error::{ApiError, refusal};
use super::metadata::DetailsView;
use super::outside::outside_error;
use super::views::DirectionView;
use crate::app::Parts;
use crate::domain::directory::Employee;
use crate::domain::employees_csv;
use crate::intake::names::Names;
use crate::store::{Imported, StoreError};

/// Largest CSV file in bytes.
const MAX_CSV: usize = 4 << 20;
/// Most names tried at once.
const MAX_NAMES: usize = 200;

pub(super) struct EmployeesApi;

/// An employee.
#[derive(Object)]
struct EmployeeView {
    id: String,
    name: String,
    team: Option<String>,
    extensions: Vec<String>,
    /// Digits with the country's code.
    phones: Vec<String>,
    /// Names in the telephone exchange.
    sip: Vec<String>,
    mango_user_id: Option<String>,
}

impl From<&Employee> for EmployeeView {
    fn from(employee: &Employee) -> Self {
        Self {
            id: employee.id.clone(),
            name: employee.name.clone(),
            team: employee.team.clone(),
            extensions: employee.extensions.clone(),
            phones: employee.phones.clone(),
            sip: employee.sip.clone(),
            mango_user_id: employee.mango_user_id.clone(),
        }
    }
}

/// An employee as a person writes them.
#[derive(Object)]
struct EmployeeRequest {
    name: String,
    team: Option<String>,
    #[oai(default)]
    extensions: Vec<String>,
    #[oai(default)]
    phones: Vec<String>,
    #[oai(default)]
    sip: Vec<String>,
    mango_user_id: Option<String>,
}

impl EmployeeRequest {
    fn tidy(self, id: String) -> Result<Employee, ApiError> {
        Employee {
            id,
            name: self.name,
            team: self.team,
            extensions: self.extensions,
            phones: self.phones,
            sip: self.sip,
            mango_user_id: self.mango_user_id,
        }
        .tidy()
        .map_err(|what| ApiError::bad_request("bad_employee", format!("The employee: {what}.")))
    }
}

/// All employees, by name.
#[derive(Object)]
struct EmployeesView {
    items: Vec<EmployeeView>,
}

/// What became of employees that were taken in.
#[derive(Object)]
struct ImportedView {
    added: u64,
    changed: u64,
    same: u64,
}

impl From<Imported> for ImportedView {
    fn from(imported: Imported) -> Self {
        Self {
            added: imported.added,
            changed: imported.changed,
            same: imported.same,
        }
    }
}

/// What became of past calls.
#[derive(Object)]
struct AppliedView {
    /// Calls whose operator changed.
    calls: u64,
}

#[derive(ApiResponse)]
enum Removed {
    /// Removed.
    #[oai(status = 204)]
    Removed,
}

/// A pattern for names of files.
#[derive(Object)]
struct PatternRequest {
    name: String,
    /// A regular expression with named groups.
    regex: String,
}

/// Names to be tried.
#[derive(Object)]
struct TryRequest {
    names: Vec<String>,
    /// In place of the configured ones; the built-in ones come after.
    patterns: Option<Vec<PatternRequest>>,
}

/// What a name tells.
#[derive(Object)]
struct TriedView {
    filename: String,
    /// The pattern that knew it; null: none did.
    pattern: Option<String>,
    /// RFC 3339.
    started_at: Option<String>,
    direction: Option<DirectionView>,
    /// The operator that the directory knows.
    operator: Option<String>,
    details: DetailsView,
}

/// What the names tell.
#[derive(Object)]
struct TriedNamesView {
    items: Vec<TriedView>,
    /// The configured patterns, as they would be written in the settings.
    patterns: Vec<PatternView>,
    time_zone: Option<String>,
}

/// A configured pattern.
#[derive(Object)]
struct PatternView {
    name: String,
    regex: String,
}

fn no_such_employee(error: StoreError) -> ApiError {
    match error {
        StoreError::NotFound => ApiError::missing("not_found", "There is no such employee."),
        other => other.into(),
    }
}

#[OpenApi]
impl EmployeesApi {
    /// All employees, by name.
    #[oai(path = "/employees", method = "get", operation_id = "employees")]
    async fn list(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<EmployeesView>, ApiError> {
        let directory = parts.store.run(|store| store.directory()).await?;
        let mut items: Vec<EmployeeView> = directory
            .employees()
            .iter()
            .map(EmployeeView::from)
            .collect();
        items.sort_by_key(|employee| employee.name.to_lowercase());
        Ok(Json(EmployeesView { items }))
    }

    /// Add an employee.
    #[oai(path = "/employees", method = "post", operation_id = "addEmployee")]
    async fn add(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        request: Json<EmployeeRequest>,
    ) -> Result<Json<EmployeeView>, ApiError> {
        let employee = request.0.tidy(ulid::Ulid::generate().to_string())?;
        let view = EmployeeView::from(&employee);
        parts
            .store
            .run(move |store| store.put_employee(&employee))
            .await?;
        Ok(Json(view))
    }

    /// Change an employee.
    #[oai(path = "/employees/:id", method = "put", operation_id = "putEmployee")]
    async fn put(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        id: Path<String>,
        request: Json<EmployeeRequest>,
    ) -> Result<Json<EmployeeView>, ApiError> {
        let employee = request.0.tidy(id.0)?;
        let view = EmployeeView::from(&employee);
        parts
            .store
            .run(move |store| store.replace_employee(&employee))
            .await
            .map_err(no_such_employee)?;
        Ok(Json(view))
    }

    /// Remove an employee; calls keep the name.
    #[oai(
        path = "/employees/:id",
        method = "delete",
        operation_id = "removeEmployee"
    )]
    async fn remove(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        id: Path<String>,
    ) -> Result<Removed, ApiError> {
        parts
            .store
            .run(move |store| store.remove_employee(&id.0))
            .await
            .map_err(no_such_employee)?;
        Ok(Removed::Removed)
    }

    /// Take employees in from a CSV file (UTF-8 or Windows-1251; `;` or `,`), all or none.
    #[oai(
        path = "/employees/import",
        method = "post",
        operation_id = "importEmployees"
    )]
    async fn import(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Settings>,
        file: Binary<Body>,
    ) -> Result<Json<ImportedView>, ApiError> {
        let bytes = file
            .0
            .into_bytes_limit(MAX_CSV)
            .await
            .map_err(|error| ApiError::bad_request("bad_csv", error.to_string()))?;
        let employees = employees_csv::parse(&bytes)
            .map_err(|fault| ApiError::bad_request("bad_csv", format!("The file, {fault}.")))?;
        tracing::info!(
            user = who.user().name,
            employees = employees.len(),
            "employees imported"
        );
        let imported = parts
            .store
            .run(move |store| {
                store.import_employees(employees, || ulid::Ulid::generate().to_string())
            })
            .await?;
        Ok(Json(imported.into()))
    }

    /// Take employees in from MANGO.
    #[oai(
        path = "/employees/import/mango",
        method = "post",
        operation_id = "importMangoEmployees"
    )]
    async fn import_mango(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<ImportedView>, ApiError> {
        let outside = Arc::clone(&parts.outside);
        let imported = parts
            .store
            .run(move |_| Ok(outside.mango_employees()))
            .await?
            .map_err(outside_error)?;
        Ok(Json(imported.into()))
    }

    /// Name the operators of past calls anew from the directory, but for those that a person set.
    #[oai(
        path = "/employees/apply",
        method = "post",
        operation_id = "applyEmployees"
    )]
    async fn apply(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
    ) -> Result<Json<AppliedView>, ApiError> {
        let outside = Arc::clone(&parts.outside);
        let calls = parts
            .store
            .run(move |store| {
                let changed = store.apply_directory()?;
                outside.announce(&changed);
                Ok(changed.len() as u64)
            })
            .await?;
        Ok(Json(AppliedView { calls }))
    }

    /// What names of files tell, with the configured patterns or with others.
    #[oai(path = "/names/try", method = "post", operation_id = "tryNames")]
    async fn try_names(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Settings>,
        request: Json<TryRequest>,
    ) -> Result<Json<TriedNamesView>, ApiError> {
        let TryRequest { names, patterns } = request.0;
        if names.len() > MAX_NAMES {
            return Err(ApiError::bad_request(
                "too_many_names",
                format!("Try at most {MAX_NAMES} names at once."),
            ));
        }
        let settings = &parts.config.names;
        let reader = match patterns {
            None => parts.intake.names().clone(),
            Some(patterns) => {
                let patterns: Vec<(String, String)> = patterns
                    .into_iter()
                    .map(|pattern| (pattern.name, pattern.regex))
                    .collect();
                Names::with(&patterns, settings.time_zone.clone()).map_err(|error| {
                    ApiError::bad_request("bad_pattern", refusal(&error).message)
                })?
            }
        };
        let items = parts
            .store
            .run(move |store| {
                let directory = store.directory()?;
                Ok(names
                    .into_iter()
                    .map(|filename| {
                        let facts = reader.read(&filename, &directory);
                        TriedView {
                            operator: directory
                                .operator_of(&facts.details)
                                .map(|employee| employee.name.clone()),
                            details: DetailsView::from(&facts.details),
                            pattern: facts.pattern,
                            started_at: facts.started_at.map(|at| at.to_string()),
                            direction: facts.direction.map(DirectionView::from),
                            filename,
                        }
                    })
                    .collect())
            })
            .await?;
        Ok(Json(TriedNamesView {
            items,
            patterns: settings
                .patterns
                .iter()
                .map(|(name, regex)| PatternView {
                    name: name.clone(),
                    regex: regex.clone(),
                })
                .collect(),
            time_zone: settings.time_zone.iana_name().map(str::to_owned),
        }))
    }
}
