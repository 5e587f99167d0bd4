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

/// What is wrong with a line (counted from 1) that stands deeper than the `key: value` above it: the parser takes its
/// first word for more of that value and complains about the `:` behind it.
pub(crate) fn below_a_value(
    text: &str,
    line: usize,
    kind: &ErrorKind,
) -> Option<(String, &'static str)> {
    let colon = matches!(
        kind,
        ErrorKind::InvalidColonPlacement | ErrorKind::MappingValueNotAllowed
    );
    let lines: Vec<&str> = text.lines().take(line).collect();
    let (own, before) = lines.split_last().filter(|_| colon)?;
    let is_entry = |line: &&&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    };
    let (at, above) = before
        .iter()
        .enumerate()
        .rev()
        .find(|(_, line)| is_entry(line))?;
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let (key, value) = above.trim().split_once(": ")?;
    let name = own.trim().split(':').next()?;
    let is_deeper = indent(own) > indent(above)
        && !value.starts_with(['|', '>', '[', '{', '"', '\'', '&', '*', '#']);
    is_deeper.then(|| {
        (
            format!(
                "`{name}` stands deeper than `{key}` in line {}, which has a value already",
                at + 1
            ),
            "indent both lines alike",
        )
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of the parser, of the data model of YAML and of programming that say nothing to the writer of a file.
    const FOREIGN: &[&str] = &[
        "EOF",
        "eof",
        "flow ",
        "block ",
        "scalar",
        "simple key",
        "mapping value",
        "sequence",
        "node",
        "directive",
        "stream",
        "token",
        "parser",
        "granit",
        "::",
        "from_str",
        "Option<",
        "UTF-8 octet",
        "handle",
        "resolver",
    ];

    /// Every kind of error of the parser that carries nothing else.
    fn all() -> Vec<ErrorKind> {
        use ErrorKind as E;
        vec![
            E::UnexpectedEofFlowSequence,
            E::UnexpectedEofFlowMapping,
            E::UnexpectedEofImplicitFlowMapping,
            E::UnexpectedEofBlockSequence,
            E::UnexpectedEofBlockMapping,
            E::UnexpectedEof,
            E::ExpectedStreamStart,
            E::DuplicateVersionDirective,
            E::UnsupportedYamlMajorVersion,
            E::DuplicateTagDirective,
            E::ExpectedDocumentStart,
            E::MissingDocumentEndBeforeDirective,
            E::AnchorCountOverflow,
            E::UnknownAnchor,
            E::ExpectedNodeContent,
            E::ExpectedBlockMappingKey,
            E::ExpectedFlowMappingSeparator,
            E::ExpectedFlowSequenceSeparator,
            E::ExpectedBlockSequenceEntry,
            E::UndeclaredTagHandle,
            E::MultipleDocumentsUnsupported,
            E::ExpectedTagBang,
            E::ExpectedTagDirectiveBang,
            E::InvalidGlobalTagCharacter,
            E::SimpleKeyExpected,
            E::InvalidSimpleKey,
            E::InvalidDocumentEnd,
            E::InvalidIndentation,
            E::BomInsideDocument,
            E::TabNotAllowed,
            E::TabInBlockIndentation,
            E::CommentInterceptedScalar,
            E::ExpectedWhitespace,
            E::CommentNotSeparated,
            E::InvalidDirectiveTerminator,
            E::DirectiveDisallowed,
            E::MissingYamlVersionSeparator,
            E::MissingDirectiveName,
            E::InvalidDirectiveName,
            E::YamlVersionTooLong,
            E::MissingYamlVersion,
            E::InvalidTagDirectiveTerminator,
            E::InvalidTagTerminator,
            E::MissingTagUri,
            E::UnclosedVerbatimTag,
            E::InvalidTagEscape,
            E::InvalidTagUtf8LeadingByte,
            E::InvalidTagUtf8TrailingByte,
            E::InvalidTagUtf8,
            E::MissingAnchorOrAliasName,
            E::MisplacedFlowCollectionEnd,
            E::RecursionLimitExceeded,
            E::BlockEntryInFlowCollection,
            E::BlockSequenceEntryNotAllowed,
            E::InvalidBlockEntryWhitespace,
            E::ZeroBlockScalarIndent,
            E::InvalidBlockScalarHeader,
            E::TabAtBlockScalarStart,
            E::InvalidBlockScalarIndent,
            E::DocumentIndicatorInQuotedScalar,
            E::UnclosedQuotedScalar,
            E::TabInIndentation,
            E::InvalidQuotedScalarIndent,
            E::InvalidTrailingSingleQuotedScalar,
            E::InvalidTrailingDoubleQuotedScalar,
            E::UnknownQuotedScalarEscape,
            E::InvalidQuotedScalarHexEscape,
            E::InvalidLowSurrogateHexEscape,
            E::InvalidLowSurrogate,
            E::MissingLowSurrogate,
            E::UnpairedLowSurrogate,
            E::InvalidUnicodeEscape,
            E::InvalidFlowScalarIndent,
            E::PlainScalarStartsWithDashFlowIndicator,
            E::TabInPlainScalar,
            E::UnexpectedEndOfPlainScalar,
            E::MappingKeyNotAllowed,
            E::FlowMappingValueAdjacentCollection,
            E::InvalidMappingValueWhitespace,
            E::InvalidColonPlacement,
            E::MappingValueNotAllowed,
            E::UnexpectedCharacter { character: '@' },
            E::RecursionLimitExceeded,
            E::UnclosedFlowCollection { open: '[' },
            E::MismatchedFlowCollectionEnd {
                open: '[',
                close: '}',
            },
            E::Custom("use from_str_multiple or Option<String>".to_owned()),
            E::InputDecoding {
                message: "from_reader".to_owned(),
            },
        ]
    }

    #[test]
    fn no_words_of_the_parser_are_shown() {
        for kind in all() {
            let (message, hint) = explain(&kind);
            let text = format!("{message} {hint}").replace("a block of text", "");
            for word in FOREIGN {
                assert!(!text.contains(word), "{kind:?}: {text}");
            }
            assert_ne!(message, kind.to_string(), "{kind:?}");
            assert!(!message.is_empty() && !message.ends_with('.'));
        }
    }
}
