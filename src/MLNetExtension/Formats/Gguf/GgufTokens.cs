using MLNetExtension.Tokenization.SentencePiece;

namespace MLNetExtension.Formats.Gguf;

/// <summary>The tokens of a vocabulary in the order of their ids, each of a kind by SentencePiece's numbers, which are GGUF's too. An id that is no token, as where a matrix is larger than its vocabulary, gets a text that no other has.</summary>
internal sealed class GgufTokens
{
    // As llama.cpp's converter has it: below that of any piece.
    private const float UnusedScore = -10_000;

    private readonly string?[] _texts;
    private readonly int[] _kinds;
    private readonly float[] _scores;

    /// <param name="size">The number of ids.</param>
    public GgufTokens(int size)
    {
        (_texts, _kinds, _scores) = (new string?[size], new int[size], new float[size]);
        Array.Fill(_kinds, (int)PieceKind.Unused);
        Array.Fill(_scores, UnusedScore);
    }

    /// <summary>Sets the token of an id; the last one counts.</summary>
    public void Set(int id, string text, PieceKind kind, float score = 0) => (_texts[id], _kinds[id], _scores[id]) = (text, (int)kind, score);

    /// <summary>Adds the keys.</summary>
    public void AddTo(GgufMetadata metadata, bool withScores = false)
    {
        HashSet<string> used = [.. _texts.OfType<string>()];
        for (int id = 0; id < _texts.Length; id++)
        {
            string text = $"[PAD{id}]";
            while (_texts[id] is null && !used.Add(text))
                text = $"[{text}]";
            _texts[id] ??= text;
        }
        metadata.Add("tokenizer.ggml.tokens", _texts!);
        if (withScores)
            metadata.Add("tokenizer.ggml.scores", _scores);
        metadata.Add("tokenizer.ggml.token_type", _kinds);
    }
}
