using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>What kind of model a stream holds, in which version, and who loads it.</summary>
internal readonly struct VersionInfo
{
    public readonly ulong ModelSignature;
    public readonly uint VerWrittenCur;
    public readonly uint VerReadableCur;
    public readonly uint VerWeCanReadBack;
    public readonly string LoaderAssemblyName;
    public readonly string LoaderSignature;
    public readonly string LoaderSignatureAlt;

    public VersionInfo(string modelSignature, uint verWrittenCur, uint verReadableCur, uint verWeCanReadBack, string loaderAssemblyName,
        string loaderSignature = null, string loaderSignatureAlt = null)
    {
        Contracts.Check(modelSignature?.Length == 8, "Model signature must be eight characters");
        ModelSignature = ModelHeader.Pack(modelSignature.Replace(' ', '\0'))[0];
        VerWrittenCur = verWrittenCur;
        VerReadableCur = verReadableCur;
        VerWeCanReadBack = verWeCanReadBack;
        LoaderAssemblyName = loaderAssemblyName;
        LoaderSignature = loaderSignature;
        LoaderSignatureAlt = loaderSignatureAlt;
    }
}

/// <summary>
/// The 256 bytes before a model, in the genuine package's layout: signature, versions, where the model, the strings and the loader's assembly
/// name lie, who loads it.
/// </summary>
internal struct ModelHeader
{
    public const int Size = 0x100;

    private const ulong Signature = 0x4C45444F4D004C4D;
    private const ulong TailSignature = 0x4D4C004D4F44454C;
    private const uint Version = 0x00010002;

    public ulong ModelSignature;
    public uint ModelVerWritten;
    public uint ModelVerReadable;
    public string LoaderSignature;
    public string LoaderSignatureAlt;
    public string LoaderAssemblyName;
    public string[] Strings;
    public long ModelSize;

    private long _limit;

    public void SetVersionInfo(VersionInfo ver)
    {
        ModelSignature = ver.ModelSignature;
        ModelVerWritten = ver.VerWrittenCur;
        ModelVerReadable = ver.VerReadableCur;
        LoaderSignature = ver.LoaderSignature ?? "";
        LoaderSignatureAlt = ver.LoaderSignatureAlt ?? "";
        LoaderAssemblyName = ver.LoaderAssemblyName ?? "";
    }

    public readonly void CheckVersionInfo(VersionInfo ver)
    {
        Contracts.CheckDecode(ModelSignature == ver.ModelSignature, "Unknown file type");
        Contracts.CheckDecode(ModelVerReadable <= ModelVerWritten, "Corrupt file header");
        Contracts.CheckDecode(ModelVerReadable <= ver.VerWrittenCur, $"Component '{ver.LoaderSignature}' of the model is too new.");
        Contracts.CheckDecode(ModelVerWritten >= ver.VerWeCanReadBack, $"Component '{ver.LoaderSignature}' of the model is too old.");
    }

    /// <summary>Eight characters to a word, the first lowest.</summary>
    public static ulong[] Pack(string text)
    {
        ulong[] words = new ulong[3];
        Contracts.Check(text.Length <= 24 && text.All(c => c <= 0xFF));
        for (int i = 0; i < text.Length; i++)
            words[i / 8] |= (ulong)text[i] << (i % 8 * 8);
        return words;
    }

    /// <summary>Writes what follows the model that ends here, then the header before it.</summary>
    public readonly void Write(BinaryWriter writer, long start, IReadOnlyCollection<string> strings)
    {
        long modelEnd = writer.BaseStream.Position - start;
        long end = 0;
        foreach (string s in strings)
            writer.Write(end += s.Length * sizeof(char));
        long stringsStart = writer.BaseStream.Position - start;
        WriteChars(writer, string.Concat(strings));
        long assemblyStart = writer.BaseStream.Position - start;
        WriteChars(writer, LoaderAssemblyName);
        long tail = writer.BaseStream.Position - start;
        writer.Write(TailSignature);
        long limit = writer.BaseStream.Position;
        writer.BaseStream.Position = start;
        writer.Write(Signature);
        writer.Write(Version);
        writer.Write(Version);
        writer.Write((long)Size);
        writer.Write(modelEnd - Size);
        writer.Write(strings.Count == 0 ? 0 : modelEnd);
        writer.Write(stringsStart - modelEnd);
        writer.Write(strings.Count == 0 ? 0 : stringsStart);
        writer.Write(assemblyStart - stringsStart);
        writer.Write(ModelSignature);
        writer.Write(ModelVerWritten);
        writer.Write(ModelVerReadable);
        foreach (ulong word in Pack(LoaderSignature).Concat(Pack(LoaderSignatureAlt)))
            writer.Write(word);
        writer.Write(tail);
        writer.Write(limit - start);
        writer.Write(LoaderAssemblyName.Length == 0 ? 0 : assemblyStart);
        writer.Write((uint)(tail - assemblyStart));
        writer.BaseStream.Position = limit;
    }

    /// <summary>Reads the header, the strings and the assembly name, and stands at the model.</summary>
    public static ModelHeader Read(BinaryReader reader)
    {
        long start = reader.BaseStream.Position;
        long length = reader.BaseStream.Length - start;
        Contracts.CheckDecode(length >= Size);
        Contracts.CheckDecode(reader.ReadUInt64() == Signature, "Wrong file type");
        reader.ReadUInt32();
        Contracts.CheckDecode(reader.ReadUInt32() <= Version, "File is too new");
        Contracts.CheckDecode(reader.ReadInt64() == Size);
        ModelHeader header = new() { ModelSize = reader.ReadInt64() };
        long tableStart = reader.ReadInt64();
        long tableSize = reader.ReadInt64();
        long charsStart = reader.ReadInt64();
        reader.ReadInt64();
        header.ModelSignature = reader.ReadUInt64();
        header.ModelVerWritten = reader.ReadUInt32();
        header.ModelVerReadable = reader.ReadUInt32();
        header.LoaderSignature = Unpack(reader);
        header.LoaderSignatureAlt = Unpack(reader);
        long tail = reader.ReadInt64();
        header._limit = reader.ReadInt64();
        long assemblyStart = reader.ReadInt64();
        uint assemblySize = reader.ReadUInt32();
        Contracts.CheckDecode(header._limit == tail + sizeof(ulong) && header._limit <= length && tableSize <= length && assemblySize <= length);
        reader.BaseStream.Position = start + tableStart;
        long[] ends = [0, .. Enumerable.Range(0, (int)tableSize / sizeof(long)).Select(_ => reader.ReadInt64())];
        header.Strings = [.. ends.Skip(1).Select((end, i) => ReadChars(reader, start + charsStart + ends[i], (int)(end - ends[i])))];
        header.LoaderAssemblyName = ReadChars(reader, start + assemblyStart, (int)assemblySize);
        reader.BaseStream.Position = start + tail;
        Contracts.CheckDecode(reader.ReadUInt64() == TailSignature, "Corrupt model file tail");
        reader.BaseStream.Position = start + Size;
        return header;
    }

    /// <summary>A loader reads its model to the end, no further and no less.</summary>
    public readonly void EndRead(BinaryReader reader, long start)
    {
        Contracts.CheckDecode(reader.BaseStream.Position - start == Size + ModelSize);
        reader.BaseStream.Position = start + _limit;
    }

    private static void WriteChars(BinaryWriter writer, string text)
    {
        foreach (char c in text)
            writer.Write((ushort)c);
    }

    private static string ReadChars(BinaryReader reader, long position, int bytes)
    {
        Contracts.CheckDecode(bytes >= 0 && bytes <= reader.BaseStream.Length);
        reader.BaseStream.Position = position;
        return string.Create(bytes / sizeof(char), reader, static (chars, from) =>
        {
            foreach (ref char c in chars)
                c = (char)from.ReadUInt16();
        });
    }

    private static string Unpack(BinaryReader reader) => new string([.. reader.ReadBytes(24).Select(b => (char)b)]).TrimEnd('\0');
}
