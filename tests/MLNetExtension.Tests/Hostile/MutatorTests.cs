using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MLNetExtension.Tests.Hostile;

[TestClass]
public sealed class MutatorTests
{
    private static readonly byte[] Json = Encoding.UTF8.GetBytes("""{"a": 1, "b": {"c": [1.5, "x", null]}, "d": "y"}""");

    [TestMethod]
    public void Equal_seeds_give_equal_files_and_others_give_others()
    {
        foreach (FileFormat format in new[] { FileFormat.Binary, FileFormat.Json })
        {
            Mutation[] first = [.. Enumerable.Range(0, 300).Select(seed => Mutator.Mutate(Json, seed, format))];
            Mutation[] again = [.. Enumerable.Range(0, 300).Select(seed => Mutator.Mutate(Json, seed, format))];

            for (int seed = 0; seed < first.Length; seed++)
                CollectionAssert.AreEqual(first[seed].Bytes, again[seed].Bytes);
            Assert.IsGreaterThan(200, first.Select(mutation => Convert.ToHexString(mutation.Bytes)).Distinct().Count());
        }
    }

    // The control: were every alteration noise, each would be refused by the parser, and nothing behind it would be tried.
    [TestMethod]
    public void Every_kind_is_tried_and_half_of_the_altered_texts_are_still_json()
    {
        Mutation[] mutations = [.. Enumerable.Range(0, 1_000).Select(seed => Mutator.Mutate(Json, seed, FileFormat.Json))];

        Assert.HasCount(25, mutations.Select(mutation => mutation.Kind).Distinct().ToArray());
        int valid = mutations.Count(mutation => IsJson(mutation.Bytes));
        Assert.IsGreaterThan(400, valid);
        Assert.IsLessThan(900, valid);
    }

    private static bool IsJson(byte[] text)
    {
        try
        {
            return JsonNode.Parse(text) is not null;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
