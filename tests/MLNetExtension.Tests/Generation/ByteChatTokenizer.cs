using MLNetExtension.Tokenization;
using MLNetExtension.Tokenization.Bytes;
using MLNetExtension.Tokenization.Chat;

namespace MLNetExtension.Tests.Generation;

/// <summary>Bytes, and the two marks of ChatML behind them.</summary>
internal sealed class ByteChatTokenizer : IChatTokenizer
{
    public const int TurnStart = 257, TurnEnd = 258;

    private static readonly ByteLevelTokenizer Bytes = new();

    public int VocabularySize => 259;

    public int EndOfTextId => ByteLevelTokenizer.EndOfTextId;

    public int? BeginningOfTextId => null;

    public IReadOnlyDictionary<string, int> SpecialTokens { get; } = new Dictionary<string, int> { ["<|im_start|>"] = TurnStart, ["<|im_end|>"] = TurnEnd };

    public string ChatTemplateSource => "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    public IReadOnlyList<TokenizerFile> Files => [];

    public IReadOnlyList<int> EncodeText(string text) => Bytes.EncodeText(text);

    public string Decode(IEnumerable<int> ids) => Bytes.Decode(ids.Where(id => id < TurnStart));

    public int ByteCount(int id) => id < TurnStart ? Bytes.ByteCount(id) : 0;
}
