using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using MLNetExtension.Formats.HuggingFace;
using MLNetExtension.Safetensors;
using MLNetExtension.Tests.Formats.HuggingFace;

namespace MLNetExtension.Tests.Safetensors;

[TestClass]
public sealed class HostileHeaderTests
{
    // Seen to fail with: no limit of the number of tensors (it is read, into more than a gigabyte).
    [TestMethod]
    public void A_header_of_99_megabytes_with_over_a_million_tensors_is_refused_at_once()
    {
        byte[] header = Many(tensors: 1_700_000);
        Assert.IsGreaterThan(95_000_000, header.Length);
        long started = Stopwatch.GetTimestamp(), before = GC.GetAllocatedBytesForCurrentThread();

        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => SafetensorsHeader.Parse(header, 0));

        TimeSpan taken = Stopwatch.GetElapsedTime(started);
        Assert.AreEqual("The safetensors header has more than 100001 keys, the most that are read.", error.Message);
        Assert.IsLessThan(TimeSpan.FromSeconds(10), taken);
        Assert.IsLessThan(50_000_000, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    // The control: as many as are allowed.
    [TestMethod]
    public void As_many_tensors_as_are_allowed_are_read() => Assert.HasCount(100_000, SafetensorsHeader.Parse(Many(100_000), 0));

    [TestMethod]
    [DataRow("a\\u0000.safetensors")]
    [DataRow("\\u0000")]
    [DataRow("..")]
    [DataRow("../model-00001-of-00003.safetensors")]
    [DataRow("a/../model-00001-of-00003.safetensors")]
    [DataRow("a\\\\b.safetensors")]
    [DataRow("C:model.safetensors")]
    [DataRow("model\\n.safetensors")]
    [DataRow("long")]
    public void A_shard_whose_name_is_no_plain_name_is_refused_in_one_sentence(string name)
    {
        using CheckpointCopy copy = new("mixtral");
        copy.Set("weight_map", "{\"model.norm.weight\":\"" + (name == "long" ? new string('x', 5_000) + ".safetensors" : name) + "\"}", SafetensorsFolder.IndexName);

        InvalidDataException error = Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceModel.Load(copy.Path).Dispose());

        StringAssert.StartsWith(error.Message, copy[SafetensorsFolder.IndexName]);
        StringAssert.EndsWith(error.Message, "expected the name of a safetensors file beside it.");
        Assert.IsFalse(error.Message.Any(char.IsControl));
        Assert.IsLessThan(400, error.Message.Length);
    }

    [TestMethod]
    public void A_tensor_of_more_dimensions_than_torch_has_is_refused_by_name()
    {
        string shape = string.Join(',', Enumerable.Repeat(1, 65));
        byte[] header = Encoding.UTF8.GetBytes("{\"deep\":{\"dtype\":\"U8\",\"shape\":[" + shape + "],\"data_offsets\":[0,1]}}");
        Assert.AreEqual("Tensor 'deep' has 65 dimensions, expected at most 64.", Assert.ThrowsExactly<InvalidDataException>(() => SafetensorsHeader.Parse(header, 1)).Message);
    }

    // A length prefix that the file cannot hold, in a file of a few bytes.
    [TestMethod]
    public void The_message_of_a_damaged_file_names_it()
    {
        using CheckpointCopy copy = new("llama");
        byte[] bytes = File.ReadAllBytes(copy["model.safetensors"]);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, ulong.MaxValue);
        File.WriteAllBytes(copy["model.safetensors"], bytes);
        StringAssert.StartsWith(Assert.ThrowsExactly<InvalidDataException>(() => HuggingFaceModel.Load(copy.Path).Dispose()).Message, copy["model.safetensors"]);
    }

    private static byte[] Many(int tensors)
    {
        ReadOnlySpan<byte> entry = "\"0000000\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"u8;
        byte[] header = new byte[1 + tensors * entry.Length];
        header[0] = (byte)'{';
        for (int i = 0; i < tensors; i++)
        {
            Span<byte> at = header.AsSpan(1 + i * entry.Length, entry.Length);
            entry.CopyTo(at);
            System.Buffers.Text.Utf8Formatter.TryFormat(i, at[1..], out _, new System.Buffers.StandardFormat('D', 7));
        }
        header[^1] = (byte)'}';
        return header;
    }
}
