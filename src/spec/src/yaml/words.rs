//! What is wrong with a text that is not YAML, in the words of this program.
//! Unaware of positions; the parser says what it stumbled over, and a person is told what to look for.

use granit_parser::ErrorKind;

use crate::limits::Limits;

/// Message and hint (which may be empty) for what the parser found.
pub(crate) fn explain(kind: &ErrorKind) -> (String, &'static str) {
    let hint = hint(kind);
    let message = match kind {
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            format!("`{open}` is closed by `{close}`")
        }
        ErrorKind::UnclosedFlowCollection { open } => format!("`{open}` is never closed"),
        ErrorKind::UnexpectedCharacter { character } => {
            format!(
                "the character `{}` cannot stand here",
                character.escape_default()
            )
        }
        ErrorKind::RecursionLimitExceeded => too_deep(),
        _ => plain(kind).to_owned(),
    };
    (message, hint)
}

/// Lists and mappings that stand in each other too deep.
pub(crate) fn too_deep() -> String {
    format!(
        "lists and mappings stand in each other more than {} deep",
        Limits::DEPTH
    )
}

fn plain(kind: &ErrorKind) -> &'static str {
    use ErrorKind as E;
    match kind {
        E::UnexpectedEofFlowSequence => "the file ends inside `[…]`",
        E::UnexpectedEofFlowMapping | E::UnexpectedEofImplicitFlowMapping => {
            "the file ends inside `{…}`"
        }
        E::UnexpectedEofBlockSequence | E::UnexpectedEofBlockMapping | E::UnexpectedEof => {
            "the file ends too early"
        }
        E::DuplicateVersionDirective => "`%YAML` stands twice",
        E::UnsupportedYamlMajorVersion => "this version of YAML is not supported; 1.2 is",
        E::DuplicateTagDirective => "`%TAG` stands twice for this prefix",
        E::ExpectedDocumentStart => "text after the end of the document",
        E::MissingDocumentEndBeforeDirective => "expected `...` before a line that begins with `%`",
        E::AnchorCountOverflow => "there are too many anchors",
        E::UnknownAnchor => "there is no anchor of this name above",
        E::ExpectedNodeContent => "expected a value",
        E::ExpectedBlockMappingKey => {
            "expected `key: value` in the same column as the entries above"
        }
        E::ExpectedFlowMappingSeparator => "expected `,` or `}`",
        E::ExpectedFlowSequenceSeparator => "expected `,` or `]`",
        E::ExpectedBlockSequenceEntry => {
            "expected `- value` in the same column as the entries above"
        }
        E::UndeclaredTagHandle => "this tag's prefix is not declared",
        E::ExpectedTagBang
        | E::ExpectedTagDirectiveBang
        | E::InvalidGlobalTagCharacter
        | E::InvalidTagDirectiveTerminator
        | E::InvalidTagTerminator
        | E::MissingTagUri
        | E::UnclosedVerbatimTag
        | E::InvalidTagEscape
        | E::InvalidTagUtf8LeadingByte
        | E::InvalidTagUtf8TrailingByte
        | E::InvalidTagUtf8 => "this is not a tag",
        E::SimpleKeyExpected => "expected `:` after the key",
        E::InvalidSimpleKey => "a key stands on one line, with `:` behind it",
        E::InvalidDocumentEnd => "nothing stands behind `...`",
        E::InvalidIndentation => "this line is indented like none of the lines around it",
        E::BomInsideDocument => "a byte order mark stands only at the beginning of a file",
        E::TabNotAllowed | E::TabInBlockIndentation | E::TabInIndentation => {
            "a tab cannot indent a line"
        }
        E::TabAtBlockScalarStart => "a block of text cannot begin with a tab",
        E::TabInPlainScalar => "a tab cannot stand in a text without quotes",
        E::CommentInterceptedScalar => "a comment cannot stand inside a text of several lines",
        E::ExpectedWhitespace => "expected a space here",
        E::CommentNotSeparated => "expected a space before `#`",
        E::InvalidDirectiveTerminator
        | E::DirectiveDisallowed
        | E::MissingYamlVersionSeparator
        | E::MissingDirectiveName
        | E::InvalidDirectiveName
        | E::DirectiveByteLimitExceeded { .. }
        | E::TooManyReservedDirectiveParams { .. }
        | E::YamlVersionTooLong
        | E::MissingYamlVersion => "a line that begins with `%` is `%YAML 1.2` or `%TAG`",
        E::MissingAnchorOrAliasName => "expected a name behind `&` or `*`",
        E::MisplacedFlowCollectionEnd => "there is nothing to close here",
        E::BlockEntryInFlowCollection => "`- ` cannot stand inside `[…]` or `{…}`",
        E::BlockSequenceEntryNotAllowed => "a list cannot begin on this line",
        E::InvalidBlockEntryWhitespace => "expected a space after `-`",
        E::ZeroBlockScalarIndent | E::InvalidBlockScalarHeader => {
            "expected the text of `|` or `>` on the next line"
        }
        E::InvalidBlockScalarIndent => {
            "this line of a block of text is indented less than its first"
        }
        E::DocumentIndicatorInQuotedScalar => "`---` or `...` inside quotes",
        E::UnclosedQuotedScalar => "the quotes are never closed",
        E::InvalidQuotedScalarIndent => "a line inside quotes is indented too little",
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => {
            "text behind the closing quotes"
        }
        E::UnknownQuotedScalarEscape => "there is no such escape in double quotes",
        E::InvalidQuotedScalarHexEscape
        | E::InvalidLowSurrogateHexEscape
        | E::InvalidLowSurrogate
        | E::MissingLowSurrogate
        | E::UnpairedLowSurrogate
        | E::InvalidUnicodeEscape => "this escape is not a character",
        E::InvalidFlowScalarIndent => "a line inside `[…]` or `{…}` is indented too little",
        E::PlainScalarStartsWithDashFlowIndicator => {
            "`-` before `,`, `[`, `]`, `{` or `}` needs quotes"
        }
        E::UnexpectedEndOfPlainScalar => "expected more text here",
        E::MappingKeyNotAllowed => "a key cannot stand here",
        E::FlowMappingValueAdjacentCollection | E::InvalidMappingValueWhitespace => {
            "expected a space after `:`"
        }
        E::InvalidColonPlacement | E::MappingValueNotAllowed => "`:` cannot stand here",
        // Of inputs and settings that are never used here, and of what a later parser may find.
        _ => "this is not YAML",
    }
}

fn hint(kind: &ErrorKind) -> &'static str {
    use ErrorKind as E;
    match kind {
        E::TabNotAllowed | E::TabInBlockIndentation | E::TabInIndentation => "indent by spaces",
        E::UnexpectedCharacter { .. }
        | E::InvalidColonPlacement
        | E::MappingValueNotAllowed
        | E::ExpectedFlowMappingSeparator
        | E::ExpectedFlowSequenceSeparator
        | E::PlainScalarStartsWithDashFlowIndicator => {
            "a text with `: `, `#`, `{`, `[`, `@` or `%` in it needs quotes"
        }
        E::UnknownQuotedScalarEscape => "use single quotes, in which `\\` is itself",
        E::UnknownAnchor => "write `&name` where the value stands first",
        _ => "",
    }
}
