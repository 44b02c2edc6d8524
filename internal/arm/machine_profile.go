package arm

import "strings"

// fillProfiles completes what a machine says of its system and disks, as the
// service was recorded to (Azure/azure-cli recordings). Nothing is made up about
// images and disks that are not here.
func fillProfiles(p map[string]any) {
	linux := false
	if system := object(p, "osProfile"); system != nil {
		setDefault(system, "secrets", []any{})
		setDefault(system, "allowExtensionOperations", true)
		setDefault(system, "requireGuestProvisionSignal", true)
		windows := object(system, "windowsConfiguration")
		if windows == nil {
			linux = true
			setDefault(system, "linuxConfiguration", map[string]any{"disablePasswordAuthentication": false})
		}
		for _, name := range []string{"linuxConfiguration", "windowsConfiguration"} {
			configuration := object(system, name)
			if configuration == nil {
				continue
			}
			setDefault(configuration, "provisionVMAgent", true)
			setDefault(configuration, "enableVMAgentPlatformUpdates", false)
			if name == "linuxConfiguration" {
				setDefault(configuration, "patchSettings.patchMode", "ImageDefault")
				setDefault(configuration, "patchSettings.assessmentMode", "ImageDefault")
			}
		}
	}
	storage := object(p, "storageProfile")
	disk := object(storage, "osDisk")
	if disk != nil {
		setDefault(disk, "deleteOption", "Detach")
		if object(p, "osProfile") != nil {
			kind := "Windows"
			if linux {
				kind = "Linux"
			}
			setDefault(disk, "osType", kind)
		}
		spellCreateOption(disk)
	}
	for _, data := range objects(storage, "dataDisks") {
		setDefault(data, "toBeDetached", false)
		setDefault(data, "caching", "None")
		setDefault(data, "deleteOption", "Detach")
		spellCreateOption(data)
	}
}

// spellCreateOption writes how a disk is made as the service does: clients send
// it in other cases (DiskCreateOptionTypes of the API).
func spellCreateOption(disk map[string]any) {
	for _, as := range []string{"FromImage", "Empty", "Attach", "Copy", "Restore"} {
		if strings.EqualFold(text(disk, "createOption"), as) {
			disk["createOption"] = as
		}
	}
}
