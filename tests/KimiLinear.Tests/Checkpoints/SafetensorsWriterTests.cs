using System.Buffers.Binary;
using System.Runtime.InteropServices;
using FsCheck;
using FsCheck.Fluent;
using KimiLinear.Checkpoints;
using KimiLinear.Tensors;
using Xunit;

namespace KimiLinear.Tests.Checkpoints;

public sealed unsafe class SafetensorsWriterTests
{
    [Fact]
    public void Complete_DeclaredAndAddedTensors_ReadBackTheSame()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("x.safetensors");
        using (SafetensorsWriter writer = new(path, new Dictionary<string, string> { ["made by"] = "a test" }))
        {
            writer.Add("first", [1f, -2f, 3.5f], 3);
            writer.Declare("pieces", DataType.BFloat16, 2, 2);
            writer.Declare("nothing", DataType.Float16, 0, 5);
            writer.Add("größe", [7, -8], 1, 2);
            writer.Declare("scalar", DataType.UInt8);
            writer.Write("pieces", [1, 2, 3]);
            writer.Write("pieces", [4, 5, 6, 7, 8]);
            writer.Write("nothing", []);
            writer.Write("scalar", [9]);
            writer.Complete();
        }

        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);

        Assert.Equal(["first", "pieces", "nothing", "größe", "scalar"], checkpoint.Tensors.Select(tensor => tensor.Name));
        Assert.Equal([1f, -2f, 3.5f], MemoryMarshal.Cast<byte, float>(Bytes(checkpoint.Get("first"))).ToArray());
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], Bytes(checkpoint.Get("pieces")));
        Assert.Equal(new Shape(0, 5), checkpoint.Get("nothing").Shape);
        Assert.Equal([7, -8], MemoryMarshal.Cast<byte, int>(Bytes(checkpoint.Get("größe"))).ToArray());
        Assert.Equal((0, 9), (checkpoint.Get("scalar").Shape.Rank, Bytes(checkpoint.Get("scalar"))[0]));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void Complete_AnyNames_AlignsTheHeaderAndReadsBack() => Prop.ForAll(
        ArbMap.Default.ArbFor<NonEmptyString>(), name =>
        {
            using TemporaryFolder folder = new();
            string path = folder.File("x.safetensors");
            using (SafetensorsWriter writer = new(path))
            {
                try
                {
                    writer.Add(name.Get, [4.25f], 1, 1);
                }
                catch (ArgumentException)
                {
                    return name.Get.Any(char.IsSurrogate);
                }

                writer.Complete();
            }

            ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(File.ReadAllBytes(path));
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return headerBytes % 8 == 0 && file.Tensors[0].Name == name.Get && *(float*)file.Tensors[0].Data == 4.25f;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Dispose_WithoutComplete_LeavesNothingAndKeepsTheOldFile()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("x.safetensors", [1, 2, 3]);
        using (SafetensorsWriter writer = new(path))
        {
            writer.Declare("a", DataType.Float32, 2);
            writer.Write("a", [1, 2, 3, 4]);
        }

        Assert.Equal([path], Directory.GetFiles(folder.Path));
        Assert.Equal([1, 2, 3], File.ReadAllBytes(path));
    }

    [Fact]
    public void Complete_OverAnOldFile_ReplacesIt()
    {
        using TemporaryFolder folder = new();
        string path = folder.Write("x.safetensors", [1, 2, 3]);
        using SafetensorsWriter writer = new(path);
        writer.Add("a", [1f], 1);

        writer.Complete();

        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal("a", file.Tensors[0].Name);
    }

    [Fact]
    public void Complete_MissingValues_NamesTheTensor()
    {
        using TemporaryFolder folder = new();
        using SafetensorsWriter writer = new(folder.File("x.safetensors"));
        writer.Declare("a", DataType.Float32, 2);
        writer.Write("a", [1, 2, 3, 4]);

        InvalidOperationException exception = Assert.Throws<InvalidOperationException>(writer.Complete);

        Assert.Contains("a still lacks 4 of its 8 bytes", exception.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(folder.File("x.safetensors")));
    }

    [Fact]
    public void Write_OutOfOrderOrTooMuch_IsRefused()
    {
        using TemporaryFolder folder = new();
        using SafetensorsWriter writer = new(folder.File("x.safetensors"));
        writer.Declare("a", DataType.UInt8, 2);
        writer.Declare("b", DataType.UInt8, 1);

        ArgumentException outOfOrder = Assert.Throws<ArgumentException>(() => writer.Write("b", [1]));
        ArgumentException tooMuch = Assert.Throws<ArgumentException>(() => writer.Write("a", [1, 2, 3]));

        Assert.Contains("a is next", outOfOrder.Message, StringComparison.Ordinal);
        Assert.Contains("2 more", tooMuch.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => writer.Declare("c", DataType.UInt8, 1));
    }

    [Fact]
    public void Declare_WhatTheFormatCannotHold_IsRefused()
    {
        using TemporaryFolder folder = new();
        using SafetensorsWriter writer = new(folder.File("x.safetensors"));
        writer.Declare("a", DataType.UInt8, 2);

        Assert.Throws<ArgumentException>(() => writer.Declare("a", DataType.UInt8, 2));
        Assert.Throws<ArgumentException>(() => writer.Declare("", DataType.UInt8, 2));
        Assert.Throws<ArgumentException>(() => writer.Declare("__metadata__", DataType.UInt8, 2));
        Assert.Throws<ArgumentException>(() => writer.Declare("\ud800", DataType.UInt8, 2));
        Assert.Throws<ArgumentException>(() => writer.Declare("b", (DataType)999, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => writer.Declare("b", DataType.UInt8, -1));
        Assert.Throws<ArgumentException>(() => writer.Declare("b", DataType.Float32, long.MaxValue));
        Assert.Throws<ArgumentException>(() => writer.Declare("b", DataType.UInt8, long.MaxValue));
        Assert.Throws<ArgumentException>(() => writer.Add("b", [1f, 2f], 3));
    }

    [Fact]
    public void Write_AfterCompleteOrDispose_IsRefused()
    {
        using TemporaryFolder folder = new();
        SafetensorsWriter writer = new(folder.File("x.safetensors"));
        writer.Complete();

        Assert.Throws<InvalidOperationException>(() => writer.Write("a", []));
        Assert.Throws<InvalidOperationException>(writer.Complete);
        writer.Dispose();
        writer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => writer.Write("a", []));
        Assert.True(File.Exists(folder.File("x.safetensors")));
    }

    private static byte[] Bytes(StoredTensor tensor) => new ReadOnlySpan<byte>(tensor.Data, (int)tensor.ByteCount).ToArray();
}
