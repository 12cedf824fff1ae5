//! Tables in Markdown.

use std::fmt;

/// Rows of cells, the first of which is the header.
#[derive(Debug)]
pub struct Table(Vec<Vec<String>>);

impl Table {
    /// A table with these columns.
    pub fn new(header: impl IntoIterator<Item: Into<String>>) -> Self {
        let mut table = Self(Vec::new());
        table.row(header);
        table
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item: Into<String>>) {
        self.0.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0[0].len();
        let widths: Vec<_> = (0..columns)
            .map(|column| self.0.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
            .collect();
        for (number, row) in self.0.iter().enumerate() {
            for (cell, &width) in row.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                writeln!(f, "|{}", "---|".repeat(columns))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["", "ns"]);
        table.row(["`spawn`", "1"]);
        assert_eq!(table.to_string(), "|         | ns |\n|---|---|\n| `spawn` | 1  |\n");
    }
}
