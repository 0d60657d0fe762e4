using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>Copies a shared library and marks its request for GLIBCXX_3.4.32 as weak, where one symbol that nothing uses is all it wants of it.</summary>
/// <remarks>MSBuild compiles this file where it is used. The format is that of the System V ABI and of the Linux Standard Base, "Symbol Versioning"
/// (64 bit, little endian). What looks otherwise is left alone: no copy, and a message that says why.</remarks>
public sealed class WeakSymbolVersion : Task
{
    private const string Version = "GLIBCXX_3.4.32", Unused = "_ZSt21ios_base_library_initv";
    private const int DynamicSymbols = 11, NeededVersions = 0x6ffffffe, SymbolVersions = 0x6fffffff, Weak = 2;

    private byte[] _file = new byte[0];

    [Required]
    public string Library { get; set; } = "";

    [Required]
    public string Copy { get; set; } = "";

    public override bool Execute()
    {
        _file = File.ReadAllBytes(Library);
        string reason;
        try
        {
            reason = Mark();
        }
        catch (Exception e) when (e is ArgumentException || e is IndexOutOfRangeException || e is OverflowException || e is KeyNotFoundException)
        {
            reason = "it is no shared library of the expected shape";
        }
        if (reason != "")
        {
            Log.LogMessage(MessageImportance.High, "{0} is left as it is: {1}.", Library, reason);
            return true;
        }
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(Copy)));
        File.WriteAllBytes(Copy + ".new", _file);
        File.Delete(Copy);
        File.Move(Copy + ".new", Copy);
        return true;
    }

    // Sets the flag in memory; the reason why not, or nothing.
    private string Mark()
    {
        if (Int32(0) != 0x464c457f || _file[4] != 2 || _file[5] != 1)
            return "it is no 64-bit little-endian ELF file";
        Dictionary<int, int> sections = Sections();
        int request = Request(sections[NeededVersions]);
        if (request == 0)
            return "it does not ask for " + Version;
        string symbols = string.Join(", ", SymbolsOf(UInt16(request + 6), sections));
        if (symbols != Unused)
            return "it uses " + symbols + " of " + Version;
        _file[request + 4] |= Weak;
        return "";
    }

    // Section headers by type; of those here, a library has one each.
    private Dictionary<int, int> Sections()
    {
        var byType = new Dictionary<int, int>();
        for (int i = 0; i < UInt16(0x3c); i++)
            byType[Int32(Header(i) + 4)] = Header(i);
        return byType;
    }

    // Where the request (Vernaux) for the version stands; 0 where there is none.
    private int Request(int section)
    {
        int library = Offset(section), libraries = Int32(section + 0x2c);
        for (; libraries > 0; libraries--, library += Int32(library + 12))
        {
            int request = library + Int32(library + 8);
            for (int left = UInt16(library + 2); left > 0; left--, request += Int32(request + 12))
                if (Name(section, Int32(request + 8)) == Version)
                    return request;
        }
        return 0;
    }

    private IEnumerable<string> SymbolsOf(int version, Dictionary<int, int> sections)
    {
        int symbols = sections[DynamicSymbols], versions = Offset(sections[SymbolVersions]);
        for (int i = 0; i < Int32(symbols + 0x20) / 24; i++)
            if ((UInt16(versions + 2 * i) & 0x7fff) == version)
                yield return Name(symbols, Int32(Offset(symbols) + 24 * i));
    }

    private int Header(int index) => Int32(0x28) + index * UInt16(0x3a);

    private int Offset(int header) => Int32(header + 0x18);

    // A name in the string table that a section links to.
    private string Name(int section, int index)
    {
        int start = Offset(Header(Int32(section + 0x28))) + index;
        return Encoding.ASCII.GetString(_file, start, Array.IndexOf(_file, (byte)0, start) - start);
    }

    private int UInt16(int at) => BitConverter.ToUInt16(_file, at);

    private int Int32(int at) => BitConverter.ToInt32(_file, at);
}
