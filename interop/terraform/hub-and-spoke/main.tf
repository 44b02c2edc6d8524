# A hub with a firewall and two spokes whose traffic it inspects, a private
# endpoint of a storage account and its zone: what most Azure networks begin as.
terraform {
  required_providers {
    azurerm = { source = "hashicorp/azurerm" }
  }
}

provider "azurerm" {
  features {}
  resource_provider_registrations = "none"
}

variable "database_port" {
  type    = string
  default = "5432"
}

variable "spokes" {
  type = map(string)
  default = {
    app  = "10.1.0.0/16"
    data = "10.2.0.0/16"
  }
}

resource "azurerm_resource_group" "network" {
  name     = "hub-and-spoke"
  location = "westeurope"
  tags     = { team = "network" }
}

# The hub.

resource "azurerm_virtual_network" "hub" {
  name                = "hub"
  resource_group_name = azurerm_resource_group.network.name
  location            = azurerm_resource_group.network.location
  address_space       = ["10.0.0.0/16"]
}

resource "azurerm_subnet" "firewall" {
  name                 = "AzureFirewallSubnet"
  resource_group_name  = azurerm_resource_group.network.name
  virtual_network_name = azurerm_virtual_network.hub.name
  address_prefixes     = ["10.0.0.0/26"]
}

resource "azurerm_public_ip" "firewall" {
  name                = "firewall"
  resource_group_name = azurerm_resource_group.network.name
  location            = azurerm_resource_group.network.location
  allocation_method   = "Static"
  sku                 = "Standard"
}

resource "azurerm_firewall_policy" "main" {
  name                = "main"
  resource_group_name = azurerm_resource_group.network.name
  location            = azurerm_resource_group.network.location
}

resource "azurerm_firewall_policy_rule_collection_group" "main" {
  name               = "main"
  firewall_policy_id = azurerm_firewall_policy.main.id
  priority           = 500

  network_rule_collection {
    name     = "spokes"
    priority = 400
    action   = "Allow"
    rule {
      name                  = "app-to-data"
      protocols             = ["TCP"]
      source_addresses      = [var.spokes.app]
      destination_addresses = [var.spokes.data]
      destination_ports     = [var.database_port]
    }
  }

  application_rule_collection {
    name     = "web"
    priority = 500
    action   = "Allow"
    rule {
      name             = "updates"
      source_addresses = values(var.spokes)
      destination_fqdns = ["packages.example.com"]
      protocols {
        type = "Https"
        port = 443
      }
    }
  }
}

resource "azurerm_firewall" "hub" {
  name                = "hub"
  resource_group_name = azurerm_resource_group.network.name
  location            = azurerm_resource_group.network.location
  sku_name            = "AZFW_VNet"
  sku_tier            = "Standard"
  firewall_policy_id  = azurerm_firewall_policy.main.id

  ip_configuration {
    name                 = "main"
    subnet_id            = azurerm_subnet.firewall.id
    public_ip_address_id = azurerm_public_ip.firewall.id
  }
}

# The spokes.

resource "azurerm_virtual_network" "spoke" {
  for_each            = var.spokes
  name                = each.key
  resource_group_name = azurerm_resource_group.network.name
  location            = azurerm_resource_group.network.location
  address_space       = [each.value]
}

resource "azurerm_subnet" "spoke" {
  for_each             = var.spokes
  name                 = "main"
  resource_group_name  = azurerm_resource_group.network.name
  virtual_network_name = azurerm_virtual_network.spoke[each.key].name
  address_prefixes     = [cidrsubnet(each.value, 8, 1)]
}

resource "azurerm_virtual_network_peering" "to_hub" {
  for_each                     = var.spokes
  name                         = "to-hub"
  resource_group_name          = azurerm_resource_group.network.name
  virtual_network_name         = azurerm_virtual_network.spoke[each.key].name
  remote_virtual_network_id    = azurerm_virtual_network.hub.id
  allow_virtual_network_access = true
  allow_forwarded_traffic      = true
}

resource "azurerm_virtual_network_peering" "from_hub" {
  for_each                     = var.spokes
  name                         = "to-${each.key}"
  resource_group_name          = azurerm_resource_group.network.name
  virtual_network_name         = azurerm_virtual_network.hub.name
  remote_virtual_network_id    = azurerm_virtual_network.spoke[each.key].id
  allow_virtual_network_access = true
  allow_forwarded_traffic      = true
}

resource "azurerm_route_table" "spokes" {
  name                          = "spokes"
  resource_group_name           = azurerm_resource_group.network.name
  location                      = azurerm_resource_group.network.location
  bgp_route_propagation_enabled = false
}

resource "azurerm_route" "default" {
  name                   = "default"
  resource_group_name    = azurerm_resource_group.network.name
  route_table_name       = azurerm_route_table.spokes.name
  address_prefix         = "0.0.0.0/0"
  next_hop_type          = "VirtualAppliance"
  next_hop_in_ip_address = azurerm_firewall.hub.ip_configuration[0].private_ip_address
}

resource "azurerm_subnet_route_table_association" "spoke" {
  for_each       = var.spokes
  subnet_id      = azurerm_subnet.spoke[each.key].id
  route_table_id = azurerm_route_table.spokes.id
}

resource "azurerm_application_security_group" "database" {
  name                = "database"
  resource_group_name = azurerm_resource_group.network.name
  location            = azurerm_resource_group.network.location
}

resource "azurerm_network_security_group" "data" {
  name                = "data"
  resource_group_name = azurerm_resource_group.network.name
  location            = azurerm_resource_group.network.location
}

resource "azurerm_network_security_rule" "database" {
  name                                       = "database"
  resource_group_name                        = azurerm_resource_group.network.name
  network_security_group_name                = azurerm_network_security_group.data.name
  priority                                   = 100
  direction                                  = "Inbound"
  access                                     = "Allow"
  protocol                                   = "Tcp"
  source_port_range                          = "*"
  source_address_prefix                      = var.spokes.app
  destination_port_range                     = var.database_port
  destination_application_security_group_ids = [azurerm_application_security_group.database.id]
}

resource "azurerm_network_security_rule" "nothing_else" {
  name                        = "nothing-else"
  resource_group_name         = azurerm_resource_group.network.name
  network_security_group_name = azurerm_network_security_group.data.name
  priority                    = 4000
  direction                   = "Inbound"
  access                      = "Deny"
  protocol                    = "*"
  source_port_range           = "*"
  destination_port_range      = "*"
  source_address_prefix       = "*"
  destination_address_prefix  = "*"
}

resource "azurerm_subnet_network_security_group_association" "data" {
  subnet_id                 = azurerm_subnet.spoke["data"].id
  network_security_group_id = azurerm_network_security_group.data.id
}

resource "azurerm_network_interface" "host" {
  for_each            = var.spokes
  name                = "${each.key}-1"
  resource_group_name = azurerm_resource_group.network.name
  location            = azurerm_resource_group.network.location

  ip_configuration {
    name                          = "main"
    subnet_id                     = azurerm_subnet.spoke[each.key].id
    private_ip_address_allocation = "Dynamic"
  }
}

resource "azurerm_network_interface_application_security_group_association" "database" {
  network_interface_id          = azurerm_network_interface.host["data"].id
  application_security_group_id = azurerm_application_security_group.database.id
}

# A storage account that only the network reaches.

resource "azurerm_storage_account" "files" {
  name                          = "hubandspokefiles"
  resource_group_name           = azurerm_resource_group.network.name
  location                      = azurerm_resource_group.network.location
  account_tier                  = "Standard"
  account_replication_type      = "LRS"
  public_network_access_enabled = false
}

resource "azurerm_private_dns_zone" "blob" {
  name                = "privatelink.blob.core.windows.net"
  resource_group_name = azurerm_resource_group.network.name
}

resource "azurerm_private_dns_zone_virtual_network_link" "blob" {
  for_each            = var.spokes
  name                = each.key
  private_dns_zone_id = azurerm_private_dns_zone.blob.id
  virtual_network_id  = azurerm_virtual_network.spoke[each.key].id
}

resource "azurerm_private_endpoint" "files" {
  name                = "files"
  resource_group_name = azurerm_resource_group.network.name
  location            = azurerm_resource_group.network.location
  subnet_id           = azurerm_subnet.spoke["app"].id

  private_service_connection {
    name                           = "files"
    private_connection_resource_id = azurerm_storage_account.files.id
    subresource_names              = ["blob"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "blob"
    private_dns_zone_ids = [azurerm_private_dns_zone.blob.id]
  }
}

output "firewall" {
  value = azurerm_firewall.hub.ip_configuration[0].private_ip_address
}

output "files" {
  value = azurerm_private_endpoint.files.private_service_connection[0].private_ip_address
}
