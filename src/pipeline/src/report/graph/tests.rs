//! Golden texts of the forms, and what the layout promises.
