using MLNetExtension.Tests.Hostile;
using MLNetExtension.Tokenization;

namespace MLNetExtension.Tests.Tokenization;

/// <summary>Some hundred altered files of each kind; thousands more are in <see cref="AlteredFilesTests"/>.</summary>
[TestClass]
public sealed class HostileTokenizerFilesTests
{
    // Usual are a few milliseconds; a match may take five seconds until a pattern is stopped.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [TestMethod]
    [DataRow("gpt2", "tokenizer.json", 0)]
    [DataRow("llama3", "tokenizer.json", 1000)]
    [DataRow("qwen2", "tokenizer.json", 2000)]
    [DataRow("llama3", "tokenizer_config.json", 3000)]
    public void An_altered_json_file_is_read_or_refused_by_name(string style, string altered, int firstSeed)
    {
        TokenizerFile[] files = [.. Directory.GetFiles(Golden.FolderOf(style)).Select(path => new TokenizerFile(Path.GetFileName(path), File.ReadAllBytes(path)))];
        Strike(files, altered, FileFormat.Json, firstSeed, 150);
    }

    [TestMethod]
    [DataRow("llama", 0)]
    [DataRow("gemma", 1000)]
    [DataRow("normalized", 2000)]
    [DataRow("unigram", 3000)]
    [DataRow("unigram_bytes", 4000)]
    public void An_altered_model_is_read_or_refused_by_name(string name, int firstSeed) => Strike([TestTokenizers.SentencePieceFile(name)], "tokenizer.model", FileFormat.Binary, firstSeed, 120);

    // What is read must encode and decode: a file that loads and then throws is no better than one that does not.
    private static void Strike(TokenizerFile[] files, string altered, FileFormat format, int firstSeed, int count)
    {
        byte[] original = files.Single(file => file.Name == altered).Content.ToArray();
        int refused = 0;
        for (int seed = firstSeed; seed < firstSeed + count; seed++)
        {
            Mutation mutation = Mutator.Mutate(original, seed, format);
            TokenizerFile[] changed = [.. files.Select(file => file.Name == altered ? new TokenizerFile(altered, mutation.Bytes) : file)];
            refused += HostileFile.IsRefused(mutation, seed, [altered, "tokenizer.json"], () => Use(TokenizerFolder.Load(changed)), Limit) ? 1 : 0;
        }

        Assert.IsGreaterThan(0, refused);
        Assert.IsLessThan(count, refused);
    }

    private static void Use(ILanguageTokenizer tokenizer)
    {
        foreach (string text in (string[])["The cat's 12 hats,  é😀!\n", "", "\0\uD800", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
        {
            IReadOnlyList<int> ids = tokenizer.EncodeText(text);
            Assert.IsTrue(ids.All(id => (uint)id < (uint)tokenizer.VocabularySize));
            _ = tokenizer.Decode(ids);
            _ = tokenizer.EncodeStart(text, 3);
            var decoder = new StreamingDecoder(tokenizer);
            foreach (int id in ids)
                decoder.Append(id);
        }
    }
}
