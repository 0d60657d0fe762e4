using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using MLNetExtension.Tokenization.HuggingFace;

namespace MLNetExtension.Tokenization.SentencePiece;

/// <summary>Writes a SentencePiece model as the <c>tokenizer.json</c> that gives the same ids, for libraries that read no <c>tokenizer.model</c>.</summary>
/// <remarks>The form is that of Hugging Face's converter: every way in which two pieces make a third, by the score of the third.</remarks>
internal static class SentencePieceJson
{
    private const char Space = SentencePieceLanguageTokenizer.Space;

    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes a model; null where a <c>tokenizer.json</c> would give other ids for some texts.</summary>
    public static TokenizerFile? Write(SentencePieceModel model)
    {
        if (!CanWrite(model))
            return null;

        var root = new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. Enumerable.Range(0, model.Pieces.Count).Where(id => IsAdded(model.Pieces[id])).Select(id => AddedToken(model.Pieces[id], id))]),
            ["normalizer"] = Sequence("normalizers", [.. model.Normalization.AddsSpace ? new[] { new JsonObject { ["type"] = "Prepend", ["prepend"] = Space.ToString() } } : [], Replace(" ", Space.ToString())]),
            ["pre_tokenizer"] = null,
            ["post_processor"] = Template(model),
            ["decoder"] = Decoder(model.Normalization.AddsSpace),
            ["model"] = Pairs(model),
        };
        return new TokenizerFile(TokenizerJsonReader.FileName, JsonSerializer.SerializeToUtf8Bytes(root, Options));
    }

    // Unigrams are summed in another precision there; rules of normalization find the shortest key there and the longest here; of pieces of equal score the leftmost is merged here, and the first there;
    // characters that are no piece are not merged there; and a space is put in front of what is behind a user-defined piece there.
    private static bool CanWrite(SentencePieceModel model)
    {
        (_, bool addsSpace, bool removesSpaces, bool escapesSpaces) = model.Normalization;
        Piece[] normal = [.. model.Pieces.Where(piece => piece.Kind == PieceKind.Normal)];
        Piece[] merged = [.. normal.Where(piece => piece.Text.EnumerateRunes().Skip(1).Any())];
        HashSet<string> characters = [.. normal.Select(piece => piece.Text)];
        return model.Kind == ModelKind.BytePairs && model.Normalization.CharacterMap.IsEmpty && !removesSpaces && escapesSpaces
            && merged.GroupBy(piece => piece.Score).All(pieces => pieces.Count() == 1 || AreRuns([.. pieces]))
            && merged.All(piece => piece.Text.EnumerateRunes().All(rune => characters.Contains(rune.ToString())))
            && !(addsSpace && model.Pieces.Any(piece => piece.Kind == PieceKind.UserDefined));
    }

    // Of runs of spaces up to the longest, as Llama 2 has them, the leftmost grows to the longest first: as it does there where the longest have the lowest rank.
    private static bool AreRuns(Piece[] pieces) =>
        pieces.All(piece => piece.Text.All(character => character == Space)) && pieces.Select(piece => piece.Text.Length).Order().SequenceEqual(Enumerable.Range(2, pieces.Length));

    // No user-defined piece with a space is found: the text has U+2581 where it is looked for.
    private static bool IsAdded(Piece piece) => piece.Kind is PieceKind.Unknown or PieceKind.Control || (piece.Kind == PieceKind.UserDefined && !piece.Text.Contains(' '));

    // A user-defined piece is found in the normalized text.
    private static JsonObject AddedToken(Piece piece, int id) => new()
    {
        ["id"] = id,
        ["content"] = piece.Text,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = piece.Kind == PieceKind.UserDefined,
        ["special"] = piece.Kind != PieceKind.UserDefined,
    };

    private static JsonObject Decoder(bool stripsSpace)
    {
        JsonObject[] steps = [Replace(Space.ToString(), " "), new JsonObject { ["type"] = "ByteFallback" }, new JsonObject { ["type"] = "Fuse" }];
        JsonObject[] strip = stripsSpace ? [new JsonObject { ["type"] = "Strip", ["content"] = " ", ["start"] = 1, ["stop"] = 0 }] : [];
        return Sequence("decoders", [.. steps, .. strip]);
    }

    private static JsonObject Sequence(string list, IEnumerable<JsonObject> parts) => new() { ["type"] = "Sequence", [list] = new JsonArray([.. parts]) };

    private static JsonObject Replace(string pattern, string content) => new() { ["type"] = "Replace", ["pattern"] = new JsonObject { ["String"] = pattern }, ["content"] = content };

    private static JsonObject? Template(SentencePieceModel model)
    {
        int id = model.Pieces.ToList().FindIndex(piece => piece.Kind == PieceKind.Control && piece.Text == model.Beginning);
        return id < 0 ? null : TokenizerJsonWriter.Template(new AddedToken(id, model.Beginning));
    }

    private static JsonObject Pairs(SentencePieceModel model)
    {
        Dictionary<string, int> ids = Enumerable.Range(0, model.Pieces.Count).ToDictionary(id => model.Pieces[id].Text);
        return new()
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = model.Pieces.First(piece => piece.Kind == PieceKind.Unknown).Text,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = true,
            ["byte_fallback"] = model.HasByteFallback,
            ["ignore_merges"] = false,
            ["vocab"] = new JsonObject(ids.OrderBy(entry => entry.Value).Select(entry => KeyValuePair.Create(entry.Key, (JsonNode?)entry.Value))),
            ["merges"] = new JsonArray([.. Merges(model, ids).Select(merge => new JsonArray(merge.Left, merge.Right))]),
        };
    }

    private static IEnumerable<(string Left, string Right)> Merges(SentencePieceModel model, Dictionary<string, int> ids)
    {
        foreach (Piece piece in model.Pieces.Where(piece => piece.Kind == PieceKind.Normal).OrderByDescending(piece => piece.Score).ThenByDescending(piece => piece.Text.Length))
        {
            for (int length = 1; length < piece.Text.Length; length++)
            {
                (string left, string right) = (piece.Text[..length], piece.Text[length..]);
                if (IsNormal(left) && IsNormal(right))
                    yield return (left, right);
            }
        }

        bool IsNormal(string text) => ids.TryGetValue(text, out int id) && model.Pieces[id].Kind == PieceKind.Normal;
    }
}
