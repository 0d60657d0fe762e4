using System.Runtime.CompilerServices;
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

    // Scoring a prompt takes a pass of its own beside the running batch: one at a time, so that memory is bounded.
    private readonly SemaphoreSlim _scoring = new(1);

    // Hidden ids are read and not shown: the one that stands in where the tokenizer has no beginning-of-text.
    private sealed record Prompt(IReadOnlyList<int> Ids, string Text, int Hidden);

    private sealed record Call(IReadOnlyList<Prompt> Prompts, IReadOnlyList<TextContinuation> Texts, bool IsStream, bool WithUsage)
    {
        public int? Scored { get; init; }

        public bool Echo { get; init; }

        public bool Generates { get; init; }
    }

    private sealed record Token(string Text, double? LogProbability, Dictionary<string, double>? Most);

    // What comes of a text at a time.
    private sealed record Piece(string Text, IReadOnlyList<Token> Tokens);

    public async Task AnswerAsync(Exchange exchange)
    {
        Call call = await exchange.ReadAsync(Read);
        using IDisposable place = model.Enter(call.Texts.Count);
        string id = $"cmpl-{Guid.NewGuid():N}";
        object?[] choices = await Task.WhenAll(Enumerable.Range(0, call.Texts.Count).Select(CompleteAsync));
        object usage = model.Count(call.Texts.Sum(text => text.PromptCount), call.Texts.Sum(text => text.ChosenCount));
        if (!call.IsStream)
            await exchange.WriteAsync(Create(choices, usage));
        else
        {
            if (call.WithUsage)
                await exchange.WriteEventAsync(Create([], usage));
            await exchange.WriteEventAsync(null);
        }

        // Null where it has been sent, piece by piece.
        async Task<object?> CompleteAsync(int index)
        {
            List<Piece> pieces = [];
            int offset = 0;
            await foreach (Piece piece in GenerateAsync(call, index, exchange.Ended))
            {
                pieces.Add(piece);
                if (call.IsStream)
                    await exchange.WriteEventAsync(Create([CreateChoice(call, index, piece, offset)]));
                offset += piece.Tokens.Sum(token => token.Text.Length);
            }
            string reason = !call.Generates || call.Texts[index].Finished == FinishReason.MaximumTokens ? "length" : "stop";
            if (!call.IsStream)
                return CreateChoice(call, index, new Piece(string.Concat(pieces.Select(piece => piece.Text)), [.. pieces.SelectMany(piece => piece.Tokens)]), 0, reason);
            await exchange.WriteEventAsync(Create([CreateChoice(call, index, new Piece("", []), offset, reason)]));
            return null;
        }

        object Create(object?[] choices, object? usage = null) => new { Id = id, Object = "text_completion", exchange.Created, Model = model.Name, Choices = choices, Usage = usage };
    }

    private async IAsyncEnumerable<Piece> GenerateAsync(Call call, int index, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (call.Echo)
            yield return await EchoAsync(call.Prompts[index], call.Scored, cancellationToken);
        if (!call.Generates)
            yield break;
        await foreach (GeneratedToken token in model.Scoring.Batch.GenerateAsync(call.Texts[index], cancellationToken))
        {
            if (token.Text.Length > 0 || token.Score is not null)
                yield return new Piece(token.Text, token.Score is null ? [] : [CreateToken(token.Id, token.Score)]);
        }
    }

    private async Task<Piece> EchoAsync(Prompt prompt, int? scored, CancellationToken cancellationToken)
    {
        if (scored is null)
            return new Piece(prompt.Text, []);
        await _scoring.WaitAsync(cancellationToken);
        try
        {
            IReadOnlyList<TokenScore?> scores = await Task.Run(() => _scorer.Score(prompt.Ids, scored.Value, cancellationToken), cancellationToken);
            return new Piece(prompt.Text, [.. prompt.Ids.Zip(scores, CreateToken).Skip(prompt.Hidden)]);
        }
        finally
        {
            _scoring.Release();
        }
    }

    // The token itself is among the most probable ones, whatever its rank; tokens of equal text share the first one's place.
    private Token CreateToken(int id, TokenScore? score)
    {
        string text = _tokenizer.Decode([id]);
        if (score is null)
            return new Token(text, null, null);
        Dictionary<string, double> most = [];
        foreach ((int other, double logProbability) in score.Most.Append((id, score.LogProbability)))
            most.TryAdd(_tokenizer.Decode([other]), ToJson(logProbability));
        return new Token(text, ToJson(score.LogProbability), most);

        // JSON has no infinity; this is what OpenAI writes for it.
        static double ToJson(double logProbability) => Math.Max(logProbability, -9999);
    }

    private static object CreateChoice(Call call, int index, Piece piece, int offset, string? reason = null)
    {
        int[] offsets = new int[piece.Tokens.Count];
        for (int i = 0; i < offsets.Length; offset += piece.Tokens[i++].Text.Length)
            offsets[i] = offset;
        object? logprobs = call.Scored is null ? null : new
        {
            Tokens = piece.Tokens.Select(token => token.Text),
            TokenLogprobs = piece.Tokens.Select(token => token.LogProbability),
            TopLogprobs = piece.Tokens.Select(token => token.Most),
            TextOffset = offsets,
        };
        return new { piece.Text, Index = index, Logprobs = logprobs, FinishReason = reason };
    }

    private Call Read(JsonObjectReader request)
    {
        int most = model.Settings.MaximumTokens, tokens = request.GetInteger("max_tokens", Math.Min(DefaultTokens, most), 0, most);
        request.Require("best_of", "1");
        request.Require("suffix", "\"\"");
        int? scored = request.FindInteger("logprobs", 0, MaximumScored);
        bool echo = request.GetBoolean("echo", false);
        (GenerationOptions options, bool isStream, bool withUsage) = model.Read(request, Math.Max(1, tokens));
        Prompt[] prompts = [.. ReadPrompts(request)];
        TextContinuation[] texts = [.. prompts.Select((prompt, i) => model.Scoring.Generator.Start(prompt.Ids, options with { Seed = options.Seed + i }, scored))];
        return new Call(prompts, texts, isStream, withUsage) { Scored = scored, Echo = echo, Generates = tokens > 0 };
    }

    // A text, several, a list of ids, several.
    private IEnumerable<Prompt> ReadPrompts(JsonObjectReader request)
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
            JsonValueKind.String => new Prompt(model.Scoring.Generator.Encode(each.GetString()!), each.GetString()!, Hidden: _tokenizer.BeginningOfTextId is null ? 1 : 0),
            JsonValueKind.Array => ReadIds(request, [.. each.EnumerateArray()]),
            _ => throw request.Unexpected("prompt", each, "a text or a list of token ids"),
        });
    }

    // Read as they are: whoever sends ids says what the text begins with.
    private Prompt ReadIds(JsonObjectReader request, IReadOnlyList<JsonElement> elements)
    {
        int[] ids = [.. elements.Select(element => element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out int id) && id >= 0 && id < _tokenizer.VocabularySize ? id
            : throw request.Unexpected("prompt", element, $"token ids from 0 to {_tokenizer.VocabularySize - 1}"))];
        return new Prompt(ids, _tokenizer.Decode(ids), Hidden: 0);
    }
}
