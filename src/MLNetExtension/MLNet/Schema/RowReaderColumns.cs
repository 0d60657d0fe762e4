using Microsoft.ML;

namespace MLNetExtension.MLNet.Schema;

/// <summary>The columns that a row is read from: text alone, or prompt and completion, or token ids, or a chat; and its weight, where rows are weighted.</summary>
/// <param name="Text">The column whose whole text is learnt; null where prompt and completion or token ids are given.</param>
/// <param name="Prompt">The column that is given, not learnt.</param>
/// <param name="Completion">The column that is learnt, after the prompt.</param>
/// <param name="TokenIds">The column of token ids, all of which are learnt.</param>
/// <param name="Messages">The column of chats, of which what the assistant says is learnt.</param>
/// <param name="Weight">The column with the row's weight; null where every row weighs 1.</param>
internal sealed record RowReaderColumns(string? Text, string? Prompt, string? Completion, string? TokenIds = null, string? Messages = null, string? Weight = null)
{
    /// <summary>The role of <see cref="TokenIds"/> in error messages.</summary>
    public const string TokenIdsRole = "token ids";

    /// <summary>The role of <see cref="Weight"/> in error messages, ML.NET's word.</summary>
    public const string WeightRole = "weight";

    /// <summary>The columns of what a row holds, without its weight, with the role that an error message gives them.</summary>
    public IEnumerable<(string Role, string Name)> Roles =>
        TokenIds is not null ? [(TokenIdsRole, TokenIds)]
        : Messages is not null ? [("messages", Messages)]
        : Text is not null ? [("text", Text)]
        : [("prompt", Prompt!), ("completion", Completion!)];

    /// <summary>The column that a prompt to generate from belongs to; null where rows are token ids or chats.</summary>
    public string? PromptOrText => Prompt ?? Text;

    public IEnumerable<DataViewSchema.Column> In(DataViewSchema schema) =>
        Roles.Select(column => column.Name).Concat(Weight is null ? [] : [Weight]).Select(name => schema[name]);
}
