using System.Text.Json;
using MLNetExtension.Files;
using MLNetExtension.Generation;
using MLNetExtension.Tokenization;

namespace Samples.Serving;

/// <summary><c>/v1/completions</c>: continues texts and says how probable tokens are, also those of the prompt, as lm-evaluation-harness asks for.</summary>
internal sealed class TextCompletions(ServedModel model)
{
    private const int DefaultTokens = 16, MaximumScored = 20;

    private readonly ILanguageTokenizer _tokenizer = model.Scoring.Model.Tokenizer;
    private readonly TextScorer _scorer = new(model.Scoring.Model.Network, model.Scoring.Model.Tokenizer.VocabularySize);

    public async Task AnswerAsync(Exchange exchange)
    {
        (TextCompletion[] texts, bool isStream, bool withUsage) = await exchange.ReadAsync(Read);
        using IDisposable place = model.Enter(texts.Length);
        string id = $"cmpl-{Guid.NewGuid():N}";
        object?[] choices = await Task.WhenAll(texts.Select(CompleteAsync));
        object usage = model.Count(texts.Sum(each => each.Text.PromptCount), texts.Sum(each => each.Text.ChosenCount));
        if (withUsage && isStream)
            await exchange.WriteEventAsync(Create([], usage));
        await (isStream ? exchange.WriteEventAsync(null) : exchange.WriteAsync(Create(choices, usage)));

        // Null where it has been sent, piece by piece.
        async Task<object?> CompleteAsync(TextCompletion text, int index)
        {
            List<ScoredPiece> pieces = [];
            int offset = 0;
            await foreach (ScoredPiece piece in text.RunAsync(model.Scoring.Batch, _scorer, _tokenizer, exchange.Ended))
            {
                pieces.Add(piece);
                if (isStream)
                    await exchange.WriteEventAsync(Create([CreateChoice(text, index, [piece], offset)]));
                offset += piece.Tokens.Sum(token => token.Text.Length);
            }
            string reason = !text.Generates || text.Text.Finished == FinishReason.MaximumTokens ? "length" : "stop";
            if (!isStream)
                return CreateChoice(text, index, pieces, 0, reason);
            await exchange.WriteEventAsync(Create([CreateChoice(text, index, [], offset, reason)]));
            return null;
        }

        object Create(object?[] choices, object? usage = null) => new { Id = id, Object = "text_completion", exchange.Created, Model = model.Name, Choices = choices, Usage = usage };
    }

    private static object CreateChoice(TextCompletion text, int index, IReadOnlyList<ScoredPiece> pieces, int offset, string? reason = null)
    {
        ScoredToken[] tokens = [.. pieces.SelectMany(piece => piece.Tokens)];
        int[] offsets = new int[tokens.Length];
        for (int i = 0; i < tokens.Length; offset += tokens[i++].Text.Length)
            offsets[i] = offset;
        object? logprobs = text.Scored is null ? null : new
        {
            Tokens = tokens.Select(token => token.Text),
            TokenLogprobs = tokens.Select(token => token.LogProbability is { } value ? ToJson(value) : (double?)null),
            TopLogprobs = tokens.Select(token => token.Most?.ToDictionary(each => each.Key, each => ToJson(each.Value))),
            TextOffset = offsets,
        };
        return new { Text = string.Concat(pieces.Select(piece => piece.Text)), Index = index, Logprobs = logprobs, FinishReason = reason };

        // JSON has no infinity; this is what OpenAI writes for it.
        static double ToJson(double logProbability) => Math.Max(logProbability, -9999);
    }

    private (TextCompletion[], bool, bool) Read(JsonObjectReader request)
    {
        int most = model.Settings.MaximumTokens, tokens = request.GetInteger("max_tokens", Math.Min(DefaultTokens, most), 0, most);
        request.Require("best_of", "1");
        request.Require("suffix", "\"\"");
        int? scored = request.FindInteger("logprobs", 0, MaximumScored);
        bool echo = request.GetBoolean("echo", false);
        (GenerationOptions options, bool isStream, bool withUsage) = model.Read(request, Math.Max(1, tokens));
        return ([.. ReadPrompts(request).Select(Start)], isStream, withUsage);

        TextCompletion Start((int[] Ids, string Text, int Hidden) prompt, int index) => new(
            model.Scoring.Generator.Start(prompt.Ids, options with { Seed = options.Seed + index }, scored), scored, echo ? prompt.Text : null, prompt.Hidden, Generates: tokens > 0);
    }

    // A text, several, a list of ids, several. Hidden ids are read and not shown: the one that stands in where the tokenizer has no beginning-of-text.
    private IEnumerable<(int[] Ids, string Text, int Hidden)> ReadPrompts(JsonObjectReader request)
    {
        IReadOnlyList<JsonElement> given = request.Find("prompt") is { ValueKind: JsonValueKind.String } text ? [text] : request.GetItems("prompt");
        if (given.Count == 0)
            throw new InvalidDataException("The request: 'prompt' is missing or empty, expected a text, a list of token ids, or a list of either.");
        if (given[0].ValueKind == JsonValueKind.Number)
            return [ReadIds(request, given)];
        if (given.Count > model.Settings.MaximumTexts)
            throw new InvalidDataException($"The request: 'prompt' has {given.Count} texts, expected at most {model.Settings.MaximumTexts}.");
        return given.Select(each => each.ValueKind switch
        {
            JsonValueKind.String => ([.. model.Scoring.Generator.Encode(each.GetString()!)], each.GetString()!, _tokenizer.BeginningOfTextId is null ? 1 : 0),
            JsonValueKind.Array => ReadIds(request, [.. each.EnumerateArray()]),
            _ => throw request.Unexpected("prompt", each, "a text or a list of token ids"),
        });
    }

    // Read as they are: whoever sends ids says what the text begins with.
    private (int[] Ids, string Text, int Hidden) ReadIds(JsonObjectReader request, IReadOnlyList<JsonElement> elements)
    {
        int[] ids = [.. elements.Select(element => element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int id) && id >= 0 && id < _tokenizer.VocabularySize ? id
            : throw request.Unexpected("prompt", element, $"token ids from 0 to {_tokenizer.VocabularySize - 1}"))];
        return (ids, _tokenizer.Decode(ids), 0);
    }
}
