using System.Text;
using MLNetExtension.Files;
using MLNetExtension.Tests.Samples;

namespace MLNetExtension.Tests.Files;

[TestClass]
public sealed class JsonFileTests
{
    public static IEnumerable<object[]> Faults =>
    [
        ["not UTF-8", new byte[] { (byte)'{', (byte)'"', 0xFF, (byte)'"', (byte)':', (byte)'1', (byte)'}' }],
        ["a NUL", Text("{\"a\":\0 1}")],
        ["a comment", Text("{\"a\": 1 /* one */}")],
        ["a trailing comma", Text("{\"a\": 1,}")],
        ["half of a surrogate pair in a value", Text("{\"a\": \"\\ud800\"}")],
        ["the other half in a key", Text("{\"\\udc00\": 1}")],
        ["half of a surrogate pair in what is never read", Text("{\"a\": [[{\"b\": \"\\ud800x\"}]]}")],
        ["a key twice", Text("{\"a\": 1, \"a\": 2}")],
        ["a key twice, once escaped", Text("{\"a\": 1, \"\\u0061\": 2}")],
        ["NaN", Text("{\"a\": NaN}")],
        ["ten thousand arrays in one another", Text(new string('[', 10_000) + new string(']', 10_000))],
        ["65 arrays in one another", Text(new string('[', 65) + new string(']', 65))],
        ["nothing but a space", Text(" ")],
        ["two values", Text("{} {}")],
        ["an end that is missing", Text("{\"a\": [1, 2")],
    ];

    // Seen to fail with: strings that are not read are not looked at, as it was (half of a surrogate pair in what is never read); and 65 arrays with the parser's own limit taken away.
    [TestMethod]
    [DynamicData(nameof(Faults))]
    public void What_is_not_strict_json_is_refused_in_one_sentence_that_names_the_file(string fault, byte[] json)
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("config.json", json);

        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => JsonFile.Read(path, root => root.ValueKind), fault);

        StringAssert.StartsWith(error.Message, $"{path} is not valid JSON: ");
        Assert.IsFalse(error.Message.Any(char.IsControl), error.Message);
        Assert.IsLessThan(600, error.Message.Length);
    }

    [TestMethod]
    [DataRow("\uFEFF{\"a\": \"\\ud83d\\ude00\"}")]
    [DataRow("{\"a\": \"\\u0000\", \"b\": [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}")]
    public void What_is_unusual_and_valid_is_read(string json)
    {
        using TemporaryFolder folder = new();
        Assert.AreEqual(System.Text.Json.JsonValueKind.Object, JsonFile.Read(folder.Write("config.json", json), root => root.ValueKind));
        Assert.AreEqual(System.Text.Json.JsonValueKind.Object, JsonFile.Read(Text(json), "config.json", root => root.ValueKind));
    }

    // Of two bytes each, and each would take twelve once parsed. Seen to fail with: no limit of the number of values (it is read).
    [TestMethod]
    public void A_text_of_very_many_values_is_refused_before_it_is_kept()
    {
        byte[] json = new byte[20_000_001];
        json.AsSpan().Fill((byte)'1');
        for (int i = 2; i < json.Length; i += 2)
            json[i] = (byte)',';
        (json[0], json[^1]) = ((byte)'[', (byte)']');
        long before = GC.GetAllocatedBytesForCurrentThread();

        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => JsonFile.Read(json, "config.json", root => root.GetArrayLength()));

        StringAssert.Contains(error.Message, "config.json has more than 10000000 names, values and brackets");
        Assert.IsLessThan(1_000_000, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text);
}
