using System.Text.Json.Serialization;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace MLNetExtension;

/// <summary>The columns that rows are read from: text, prompt and completion, chats or token ids; and the rows' weights, where they have any.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(TextColumn), "text")]
[JsonDerivedType(typeof(PromptCompletionColumns), "promptCompletion")]
[JsonDerivedType(typeof(ChatColumn), "chat")]
[JsonDerivedType(typeof(TokenIdsColumn), "tokenIds")]
public abstract record InputColumns
{
    /// <summary>The role of <see cref="Weight"/> in error messages, ML.NET's word.</summary>
    internal const string WeightRole = "weight";

    private protected InputColumns()
    {
    }

    /// <summary>
    /// The column with a row's weight (Single, from 0 to 1e30), by which its summed loss and its number of target tokens are multiplied; a row of weight 0 is
    /// left out. Null: every row weighs 1. Read in training, not in scoring; an evaluation names its own.
    /// </summary>
    public string? Weight { get; init; }

    /// <summary>The column that a prompt to generate from belongs to; null where rows are token ids or chats.</summary>
    internal virtual string? PromptColumn => null;

    /// <summary>Whether rows are completions to prefer or to avoid, which the trainer of preferences alone takes.</summary>
    internal virtual bool ArePreferences => false;

    /// <summary>The columns that a model reads which was trained on these.</summary>
    internal virtual InputColumns ForScoring => this;

    /// <summary>The columns of what a row holds, without its weight.</summary>
    internal abstract IReadOnlyList<InputColumn> Content { get; }

    /// <summary>The columns of numbers, of any type, that are read in training on preferences beside what rows hold.</summary>
    internal virtual IReadOnlyList<(string Role, string Name)> Numbers => [];

    /// <summary>Every column that is read, the weight last.</summary>
    internal IEnumerable<InputColumn> All => Weight is null ? Content : [.. Content, new InputColumn(WeightRole, Weight, NumberDataViewType.Single)];

    /// <summary>One column of text; every token of it is trained on.</summary>
    /// <param name="column">The column. Default: <c>Text</c>.</param>
    /// <param name="weight">The column with the rows' weights, see <see cref="Weight"/>. Default: null.</param>
    public static InputColumns Text(string column = "Text", string? weight = null) => new TextColumn(column) { Weight = weight };

    /// <summary>Two columns of text, of which the completion is trained on and the prompt is only read.</summary>
    /// <param name="prompt">The column of prompts. Default: <c>Prompt</c>.</param>
    /// <param name="completion">The column of what follows the prompt. Default: <c>Completion</c>.</param>
    /// <param name="weight">The column with the rows' weights, see <see cref="Weight"/>. Default: null.</param>
    public static InputColumns PromptCompletion(string prompt = "Prompt", string completion = "Completion", string? weight = null) =>
        new PromptCompletionColumns(prompt, completion) { Weight = weight };

    /// <summary>
    /// One column of chats as JSON text (<c>[{"role": "user", "content": "..."}, ...]</c>, or with tools <c>{"messages": [...], "tools": [...]}</c>); what the assistant says is trained on, the rest is
    /// only read. Needs a tokenizer with a chat template, as chat models are published with.
    /// </summary>
    /// <param name="column">The column. Default: <c>Messages</c>.</param>
    /// <param name="weight">The column with the rows' weights, see <see cref="Weight"/>. Default: null.</param>
    public static InputColumns Chat(string column = "Messages", string? weight = null) => new ChatColumn(column) { Weight = weight };

    /// <summary>One column of token ids (a vector of Int32, of any size), for texts that are tokens already. Every id is trained on, but for one that nothing stands before.</summary>
    /// <param name="column">The column. Default: <c>TokenIds</c>.</param>
    /// <param name="weight">The column with the rows' weights, see <see cref="Weight"/>. Default: null.</param>
    /// <param name="addBeginning">Whether the beginning-of-text is put before the ids, so that the first of them is trained on too. Default true; false where the column has it already.</param>
    /// <param name="addEnd">Whether the end-of-text is put after the ids and trained on. Default true; false where the column has it already, or rows are pieces of texts.</param>
    public static InputColumns TokenIds(string column = "TokenIds", string? weight = null, bool addBeginning = true, bool addEnd = true) =>
        new TokenIdsColumn(column, addBeginning, addEnd) { Weight = weight };

    /// <summary>Three columns of text: a prompt, the completion that is preferred and the one that is not. For <c>Trainers.Preference</c>; the trained model reads prompts and chosen completions.</summary>
    /// <param name="prompt">The column of prompts, whose texts may be empty. Default: <c>Prompt</c>.</param>
    /// <param name="chosen">The column of preferred completions. Default: <c>Chosen</c>.</param>
    /// <param name="rejected">The column of the others. Default: <c>Rejected</c>.</param>
    /// <param name="weight">The column with the pairs' weights, by which a pair's loss and the count of pairs are multiplied, see <see cref="Weight"/>. Default: null.</param>
    /// <param name="chosenReference">
    /// The column with what the reference says of the preferred completion: the sum of the natural logarithms of its tokens' probabilities, the end of the text included, at most 0 (a number of any type). It is computed before, with any
    /// model of the same tokenizer and context: <c>LossSum</c> of its output, times -1. Default null: the reference is the model that training starts from. Given with <paramref name="rejectedReference"/>, or not at all.
    /// </param>
    /// <param name="rejectedReference">That of the other completion. Default: null.</param>
    public static InputColumns Pairs(
        string prompt = "Prompt", string chosen = "Chosen", string rejected = "Rejected", string? weight = null, string? chosenReference = null, string? rejectedReference = null) =>
        new PairColumns(prompt, chosen, rejected) { Weight = weight, ChosenReference = chosenReference, RejectedReference = rejectedReference };

    /// <summary>Two columns of text and one of labels: a prompt, a completion and whether it is a good one. For <c>Trainers.Preference</c> with KTO; the trained model reads prompts and completions.</summary>
    /// <param name="prompt">The column of prompts, whose texts may be empty. Default: <c>Prompt</c>.</param>
    /// <param name="completion">The column of completions. Default: <c>Completion</c>.</param>
    /// <param name="label">The column of labels (Boolean). Default: <c>Label</c>.</param>
    /// <param name="weight">The column with the rows' weights, see <see cref="Weight"/>. Default: null.</param>
    public static InputColumns Labelled(string prompt = "Prompt", string completion = "Completion", string label = "Label", string? weight = null) =>
        new LabelledColumns(prompt, completion, label) { Weight = weight };

    internal IEnumerable<DataViewSchema.Column> FindIn(DataViewSchema schema) => All.Select(column => schema[column.Name]);

    internal virtual void Validate(string group)
    {
        foreach (var (role, name) in All.Select(column => (column.Role, column.Name)).Concat(Numbers))
            Require.Name(name, group, role);
    }

    internal sealed record TextColumn(string Column) : InputColumns
    {
        internal override string PromptColumn => Column;

        internal override IReadOnlyList<InputColumn> Content => [new("text", Column, TextDataViewType.Instance)];
    }

    internal sealed record PromptCompletionColumns(string Prompt, string Completion) : InputColumns
    {
        internal override string PromptColumn => Prompt;

        internal override IReadOnlyList<InputColumn> Content => [new("prompt", Prompt, TextDataViewType.Instance), new("completion", Completion, TextDataViewType.Instance)];
    }

    internal sealed record PairColumns(string Prompt, string Chosen, string Rejected) : InputColumns
    {
        public string? ChosenReference { get; init; }

        public string? RejectedReference { get; init; }

        public bool HaveReference => ChosenReference is not null;

        internal override IReadOnlyList<(string Role, string Name)> Numbers =>
            ChosenReference is null || RejectedReference is null ? [] : [("chosen reference", ChosenReference), ("rejected reference", RejectedReference)];

        internal override void Validate(string group)
        {
            base.Validate(group);
            if (ChosenReference is null != RejectedReference is null)
                throw new ArgumentException($"{group} have a reference of the {(HaveReference ? "chosen" : "rejected")} completion alone; expected one of both, or of none.", group);
        }

        internal override string PromptColumn => Prompt;

        internal override bool ArePreferences => true;

        internal override InputColumns ForScoring => InputColumns.PromptCompletion(Prompt, Chosen, Weight);

        internal override IReadOnlyList<InputColumn> Content =>
            [new("prompt", Prompt, TextDataViewType.Instance), new("chosen", Chosen, TextDataViewType.Instance), new("rejected", Rejected, TextDataViewType.Instance)];
    }

    internal sealed record LabelledColumns(string Prompt, string Completion, string Label) : InputColumns
    {
        internal override string PromptColumn => Prompt;

        internal override bool ArePreferences => true;

        internal override InputColumns ForScoring => InputColumns.PromptCompletion(Prompt, Completion, Weight);

        internal override IReadOnlyList<InputColumn> Content =>
            [new("prompt", Prompt, TextDataViewType.Instance), new("completion", Completion, TextDataViewType.Instance), new("label", Label, BooleanDataViewType.Instance)];
    }

    internal sealed record ChatColumn(string Column) : InputColumns
    {
        internal override IReadOnlyList<InputColumn> Content => [new("messages", Column, TextDataViewType.Instance)];
    }

    internal sealed record TokenIdsColumn(string Column, bool AddBeginning = true, bool AddEnd = true) : InputColumns
    {
        internal override IReadOnlyList<InputColumn> Content => [new("token ids", Column, new VectorDataViewType(NumberDataViewType.Int32))];
    }
}

/// <summary>A column that is read.</summary>
/// <param name="Role">What an error message calls it.</param>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type; a vector may have any size.</param>
internal readonly record struct InputColumn(string Role, string Name, DataViewType Type);
