//! The directory of employees, and the operators that follow from it.

use redb::{ReadableTable, WriteTransaction};

use super::record::{decode, encode};
use super::{Store, StoreError, joins, schema};
use crate::domain::directory::{Directory, Employee};
use crate::domain::{Call, CallId};

/// What became of employees that were taken in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Were not known.
    pub added: u64,
    /// Were known and changed.
    pub changed: u64,
    /// Were known as they are.
    pub same: u64,
}

impl Store {
    /// All employees in the order of their ids.
    pub fn directory(&self) -> Result<Directory, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(schema::EMPLOYEES)?;
        read_all(&table)
    }

    /// Keeps an employee under their id.
    pub fn put_employee(&self, employee: &Employee) -> Result<(), StoreError> {
        let txn = self.write()?;
        super::calls::put(&txn, schema::EMPLOYEES, &employee.id, employee)?;
        txn.commit()?;
        self.accounts.send_replace(());
        Ok(())
    }

    /// Replaces an employee.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none with this id.
    pub fn replace_employee(&self, employee: &Employee) -> Result<(), StoreError> {
        let txn = self.write()?;
        super::calls::get::<Employee>(&txn, schema::EMPLOYEES, &employee.id)?
            .ok_or(StoreError::NotFound)?;
        super::calls::put(&txn, schema::EMPLOYEES, &employee.id, employee)?;
        txn.commit()?;
        self.accounts.send_replace(());
        Ok(())
    }

    /// Forgets an employee; calls keep the name.
    pub fn remove_employee(&self, id: &str) -> Result<(), StoreError> {
        let txn = self.write()?;
        let known = txn.open_table(schema::EMPLOYEES)?.remove(id)?.is_some();
        if !known {
            return Err(StoreError::NotFound);
        }
        txn.commit()?;
        self.accounts.send_replace(());
        Ok(())
    }

    /// Takes in employees, all or none: those that are known (by MANGO's number or
    /// by name) are changed, the others get an id of `new_id`.
    pub fn import_employees(
        &self,
        employees: Vec<Employee>,
        mut new_id: impl FnMut() -> String,
    ) -> Result<Imported, StoreError> {
        let txn = self.write()?;
        let mut imported = Imported::default();
        {
            let mut table = txn.open_table(schema::EMPLOYEES)?;
            let mut known = read_all(&table)?.employees().to_vec();
            for newer in employees {
                let at = known.iter().position(|employee| employee.is(&newer));
                let employee = match at {
                    Some(at) => {
                        let before = known[at].clone();
                        known[at].update(newer);
                        if before == known[at] {
                            imported.same += 1;
                        } else {
                            imported.changed += 1;
                        }
                        &known[at]
                    }
                    None => {
                        imported.added += 1;
                        known.push(Employee {
                            id: new_id(),
                            ..newer
                        });
                        &known[known.len() - 1]
                    }
                };
                table.insert(employee.id.as_str(), encode(employee)?.as_slice())?;
            }
        }
        txn.commit()?;
        self.accounts.send_replace(());
        Ok(imported)
    }

    /// Names the operators of past calls anew from the directory, but for those
    /// that a person set. Returns the calls that changed.
    pub fn apply_directory(&self) -> Result<Vec<CallId>, StoreError> {
        let txn = self.write()?;
        let directory = directory(&txn)?;
        let calls: Vec<Call> = txn
            .open_table(schema::CALLS)?
            .iter()?
            .map(|entry| decode::<Call>(entry?.1.value()))
            .collect::<Result<_, _>>()?;
        let mut changed = Vec::new();
        for mut call in calls {
            if joins::name_operator(&txn, &mut call, &directory)? {
                txn.put_call(&call)?;
                changed.push(call.id);
            }
        }
        txn.commit()?;
        Ok(changed)
    }
}

pub(super) fn directory(txn: &WriteTransaction) -> Result<Directory, StoreError> {
    read_all(&txn.open_table(schema::EMPLOYEES)?)
}

pub(super) fn read_all(
    table: &impl ReadableTable<&'static str, &'static [u8]>,
) -> Result<Directory, StoreError> {
    let employees: Vec<Employee> = table
        .iter()?
        .map(|entry| decode::<Employee>(entry?.1.value()))
        .collect::<Result<_, _>>()?;
    Ok(Directory::new(employees))
}
